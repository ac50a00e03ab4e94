/* A stand-in for the driver's libnvidia-ml.so.1 that plays a script.
 *
 * The file named by NVML_STUB_SCRIPT is read anew at every call. Its lines:
 *   value gpus N          how many GPUs there are; 1 without this line
 *   value KEY N...        what KEY is, call after call; the last number stays
 *   value KEY@I N...      the same for GPU I alone; KEY stands for GPUs without such a line
 *   text KEY WORDS        the same for a text
 *   error FUNCTION CODE   FUNCTION answers with this nvmlReturn_t
 *   hang FUNCTION         FUNCTION never returns
 *   crash FUNCTION        FUNCTION writes to address 0
 * Built with -DOLD_DRIVER it lacks the functions that came late, so that the bindings meet a
 * missing symbol. Struct layouts are those of nvml.h.
 * A UUID is GPU-0000000I-... for GPU I; MIG-0000000I-... is the slice of it, whose keys begin
 * with mig_.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define INSUFFICIENT_SIZE 7
#define TIMED_OUT 10
#define MAX_KEYS 64

typedef struct { unsigned long long total, free_, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free_, used; } MemoryV2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned version, sensor; int temperature; } TemperatureV1;
typedef struct { unsigned version; int margin; } MarginV1;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } Process;
typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    unsigned type, result;
    union { double d; int si; unsigned long long ull; } value;
} FieldValue;


typedef struct { int index, slice; } Gpu;
static Gpu cards[8], slices[8];

static FILE *script(void) {
    const char *path = getenv("NVML_STUB_SCRIPT");
    return path ? fopen(path, "r") : NULL;
}

/* Plays what the script says of `function`; returns the code it is to answer with. */
static int play(const char *function) {
    char line[1024], verb[16], name[64];
    int code = SUCCESS, found = SUCCESS;
    FILE *file = script();
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%15s %63s %d", verb, name, &code) < 2 || strcmp(name, function)) continue;
        if (!strcmp(verb, "hang")) for (;;) pause();
        if (!strcmp(verb, "crash")) *(volatile int *)0 = 1;
        if (!strcmp(verb, "error")) found = code;
    }
    if (file) fclose(file);
    return found;
}

/* The rest of the script's line `verb key`; 0 when it has none. */
static int rest_of(const char *verb, const char *key, char *out, size_t length) {
    char line[1024];
    int found = 0;
    FILE *file = script();
    while (file && fgets(line, sizeof line, file)) {
        size_t v = strlen(verb), k = strlen(key);
        if (strncmp(line, verb, v) || line[v] != ' ' || strncmp(line + v + 1, key, k)) continue;
        char *rest = line + v + 1 + k;
        if (*rest != ' ' && *rest != '\n') continue;
        rest[strcspn(rest, "\n")] = 0;
        snprintf(out, length, "%s", *rest ? rest + 1 : rest);
        found = 1;
    }
    if (file) fclose(file);
    return found;
}

static int gpus(void) {
    char text[64];
    return rest_of("value", "gpus", text, sizeof text) ? atoi(text) : 1;
}

/* Finds the line of `key` for this GPU; leaves in `full` under which key it stands. */
static int find(const char *verb, const Gpu *gpu, const char *key, char *full, char *out, size_t n) {
    const char *prefix = gpu->slice ? "mig_" : "";
    snprintf(full, 64, "%s%s@%d", prefix, key, gpu->index);
    if (rest_of(verb, full, out, n)) return 1;
    snprintf(full, 64, "%s%s", prefix, key);
    return rest_of(verb, full, out, n);
}

/* The number of `key` for this call; 0 when the script has none. */
static int value(const Gpu *gpu, const char *key, long long *out) {
    static struct { char key[64]; int calls; } seen[MAX_KEYS];
    char full[64], text[1024], *place = text;
    if (!find("value", gpu, key, full, text, sizeof text)) return 0;
    int slot = 0;
    while (slot < MAX_KEYS - 1 && seen[slot].key[0] && strcmp(seen[slot].key, full)) slot++;
    snprintf(seen[slot].key, sizeof seen[slot].key, "%s", full);
    char *number = strtok(place, " ");
    for (int i = 0; number && i <= seen[slot].calls; i++, number = strtok(NULL, " "))
        *out = (long long)strtoull(number, NULL, 0);
    seen[slot].calls++;
    return 1;
}

/* The common case: one number, or "not supported" where the script has none. */
static int number(const Gpu *gpu, const char *function, const char *key, long long *out) {
    int code = play(function);
    if (code != SUCCESS) return code;
    return value(gpu, key, out) ? SUCCESS : NOT_SUPPORTED;
}

#define NUMBER(function, key, type, target)                \
    long long n;                                           \
    int code = number(d, function, key, &n);               \
    if (code == SUCCESS) (target) = (type)n;               \
    return code

/* A call of the form f(device, unsigned *). */
#define UNSIGNED(function, key)                            \
    int function(Gpu *d, unsigned *out) { NUMBER(#function, key, unsigned, *out); }

int nvmlInitWithFlags(unsigned flags) { (void)flags; return play("nvmlInitWithFlags"); }
int nvmlShutdown(void) { return play("nvmlShutdown"); }

const char *nvmlErrorString(int code) {
    static char text[32];
    snprintf(text, sizeof text, "error %d", code);
    return text;
}

int nvmlDeviceGetCount_v2(unsigned *out) {
    *out = (unsigned)gpus();
    return play("nvmlDeviceGetCount_v2");
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Gpu **handle) {
    int code = play("nvmlDeviceGetHandleByIndex_v2");
    if (code != SUCCESS) return code;
    if (index >= (unsigned)gpus() || index >= 8) return INVALID_ARGUMENT;
    cards[index] = (Gpu){ .index = (int)index };
    *handle = &cards[index];
    return SUCCESS;
}

static void uuid_of(const Gpu *gpu, char *text, unsigned length) {
    const char *kind = gpu->slice ? "MIG" : "GPU";
    snprintf(text, length, "%s-%08d-1111-2222-3333-444444444444", kind, gpu->index);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Gpu **handle) {
    int code = play("nvmlDeviceGetHandleByUUID");
    if (code != SUCCESS) return code;
    for (int i = 0; i < gpus() && i < 8; i++) {
        for (int slice = 0; slice < 2; slice++) {
            char text[96];
            Gpu *gpu = slice ? &slices[i] : &cards[i];
            *gpu = (Gpu){ .index = i, .slice = slice };
            uuid_of(gpu, text, sizeof text);
            if (strcmp(text, uuid)) continue;
            *handle = gpu;
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Gpu *slice, Gpu **handle) {
    cards[slice->index] = (Gpu){ .index = slice->index };
    *handle = &cards[slice->index];
    return play("nvmlDeviceGetDeviceHandleFromMigDeviceHandle");
}

int nvmlDeviceGetIndex(Gpu *d, unsigned *out) {
    *out = (unsigned)d->index;
    return play("nvmlDeviceGetIndex");
}

int nvmlDeviceGetUUID(Gpu *d, char *text, unsigned length) {
    uuid_of(d, text, length);
    return play("nvmlDeviceGetUUID");
}

int nvmlDeviceGetName(Gpu *d, char *text, unsigned length) {
    char full[64], words[256];
    int told = find("text", d, "name", full, words, sizeof words);
    snprintf(text, length, "%s", told ? words : "Scripted RTX");
    return play("nvmlDeviceGetName");
}

int nvmlDeviceGetSerial(Gpu *d, char *text, unsigned length) {
    (void)d;
    snprintf(text, length, "1234567890");
    return play("nvmlDeviceGetSerial");
}

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
    snprintf(text, length, "999.1");
    return play("nvmlSystemGetDriverVersion");
}

int nvmlDeviceGetTemperature(Gpu *d, unsigned sensor, unsigned *out) {
    (void)sensor;
    NUMBER("nvmlDeviceGetTemperature", "temperature", unsigned, *out);
}

int nvmlDeviceGetTemperatureThreshold(Gpu *d, unsigned kind, unsigned *out) {
    static const char *keys[] = { "shutdown", "slowdown", "memory_max", "gpu_max" };
    if (kind > 3) return NOT_SUPPORTED;
    NUMBER("nvmlDeviceGetTemperatureThreshold", keys[kind], unsigned, *out);
}

int nvmlDeviceGetMemoryInfo(Gpu *d, Memory *out) {
    long long total = 0;
    value(d, "memory_total", &total);
    out->total = total;
    NUMBER("nvmlDeviceGetMemoryInfo", "memory_used_with_reserved", unsigned long long, out->used);
}

UNSIGNED(nvmlDeviceGetPowerUsage, "power_mw")
UNSIGNED(nvmlDeviceGetEnforcedPowerLimit, "power_limit_mw")
/* What was set last, in milliwatts; 0: nothing yet. With NVML_STUB_STATE it outlives the process, as
 * a card's limit does. */
static unsigned set_limit(unsigned milliwatts) {
    static unsigned last;
    const char *path = getenv("NVML_STUB_STATE");
    if (milliwatts) last = milliwatts;
    FILE *file = path ? fopen(path, milliwatts ? "w" : "r") : NULL;
    if (!file) return last;
    if (milliwatts) fprintf(file, "%u", milliwatts);
    else if (fscanf(file, "%u", &last) != 1) last = 0;
    fclose(file);
    return last;
}

int nvmlDeviceGetPowerManagementLimit(Gpu *d, unsigned *out) {
    if (set_limit(0) && play("nvmlDeviceGetPowerManagementLimit") == SUCCESS) {
        *out = set_limit(0);
        return SUCCESS;
    }
    NUMBER("nvmlDeviceGetPowerManagementLimit", "power_limit_mw", unsigned, *out);
}

int nvmlDeviceGetPowerManagementLimitConstraints(Gpu *d, unsigned *lowest, unsigned *highest) {
    long long most = 0;
    if (!value(d, "power_highest_mw", &most)) return NOT_SUPPORTED;
    *highest = (unsigned)most;
    NUMBER("nvmlDeviceGetPowerManagementLimitConstraints", "power_lowest_mw", unsigned, *lowest);
}

int nvmlDeviceSetPowerManagementLimit(Gpu *d, unsigned milliwatts) {
    (void)d;
    int code = play("nvmlDeviceSetPowerManagementLimit");
    if (code == SUCCESS) set_limit(milliwatts);
    return code;
}

UNSIGNED(nvmlDeviceGetFanSpeed, "fan")
UNSIGNED(nvmlDeviceGetPerformanceState, "performance_state")

int nvmlDeviceGetUtilizationRates(Gpu *d, Utilization *out) {
    NUMBER("nvmlDeviceGetUtilizationRates", "utilization", unsigned, out->gpu);
}

int nvmlDeviceGetClockInfo(Gpu *d, unsigned kind, unsigned *out) {
    if (kind != 1) return INVALID_ARGUMENT;
    NUMBER("nvmlDeviceGetClockInfo", "sm_clock", unsigned, *out);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(Gpu *d, unsigned long long *out) {
    NUMBER("nvmlDeviceGetCurrentClocksThrottleReasons", "throttle", unsigned long long, *out);
}

int nvmlDeviceGetTotalEnergyConsumption(Gpu *d, unsigned long long *out) {
    NUMBER("nvmlDeviceGetTotalEnergyConsumption", "energy_mj", unsigned long long, *out);
}

int nvmlDeviceGetTotalEccErrors(Gpu *d, unsigned type, unsigned counter, unsigned long long *out) {
    if (type != 1 || counter != 0) return INVALID_ARGUMENT;
    NUMBER("nvmlDeviceGetTotalEccErrors", "ecc_errors", unsigned long long, *out);
}

typedef struct { Gpu *device; unsigned long long type, data; unsigned gi, ci; } EventData;
static int event_set;

int nvmlEventSetCreate(void **out) {
    *out = &event_set;
    return play("nvmlEventSetCreate");
}

int nvmlDeviceRegisterEvents(Gpu *d, unsigned long long types, void *set) {
    (void)d, (void)types, (void)set;
    return play("nvmlDeviceRegisterEvents");
}

/* The numbers of xid, one a call; 0 stands for a moment without one. */
int nvmlEventSetWait_v2(void *set, EventData *out, unsigned timeout_ms) {
    (void)set, (void)timeout_ms;
    long long xid = 0;
    Gpu any = { .index = 0 };
    int code = play("nvmlEventSetWait_v2");
    if (code != SUCCESS) return code;
    if (!value(&any, "xid", &xid) || xid == 0) return TIMED_OUT;
    *out = (EventData){ .type = 8, .data = (unsigned long long)xid };
    return SUCCESS;
}

/* Processes KEY_1, KEY_2, ... as the script has them, each with a GiB unless KEY_bytes says. */
static int running(const char *function, const Gpu *d, const char *kind, unsigned *count, Process *out) {
    unsigned room = *count;
    long long pid, bytes = 1LL << 30;
    char key[32];
    int code = play(function);
    if (code != SUCCESS) return code;
    snprintf(key, sizeof key, "%s_bytes", kind);
    value(d, key, &bytes);
    for (*count = 0; *count < 16; ++*count) {
        snprintf(key, sizeof key, "%s_%u", kind, *count + 1);
        if (!value(d, key, &pid)) break;
        if (out && *count < room)
            out[*count] = (Process){ .pid = (unsigned)pid, .used = (unsigned long long)bytes };
    }
    return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

#define RUNNING(function, kind)                                             \
    int function(Gpu *d, unsigned *count, Process *out) {                   \
        return running(#function, d, kind, count, out);                     \
    }
RUNNING(nvmlDeviceGetComputeRunningProcesses_v2, "process")
RUNNING(nvmlDeviceGetGraphicsRunningProcesses_v2, "drawing")

#ifndef OLD_DRIVER
RUNNING(nvmlDeviceGetComputeRunningProcesses_v3, "process")
RUNNING(nvmlDeviceGetGraphicsRunningProcesses_v3, "drawing")

int nvmlDeviceGetTemperatureV(Gpu *d, TemperatureV1 *out) {
    NUMBER("nvmlDeviceGetTemperatureV", "temperature", int, out->temperature);
}

int nvmlDeviceGetMemoryInfo_v2(Gpu *d, MemoryV2 *out) {
    long long total = 0;
    value(d, "memory_total", &total);
    out->total = total;
    NUMBER("nvmlDeviceGetMemoryInfo_v2", "memory_used", unsigned long long, out->used);
}

int nvmlDeviceGetCurrentClocksEventReasons(Gpu *d, unsigned long long *out) {
    NUMBER("nvmlDeviceGetCurrentClocksEventReasons", "throttle", unsigned long long, *out);
}

int nvmlDeviceGetMarginTemperature(Gpu *d, MarginV1 *out) {
    NUMBER("nvmlDeviceGetMarginTemperature", "margin", int, out->margin);
}

/* Field F is the value field_F, of the type type_F (5, a signed int, without it), or the error
 * field_error_F. */
int nvmlDeviceGetFieldValues(Gpu *d, int count, FieldValue *values) {
    int code = play("nvmlDeviceGetFieldValues");
    for (int i = 0; i < count; i++) {
        long long n = 0, type = 5, error = NOT_SUPPORTED;
        char key[32];
        snprintf(key, sizeof key, "type_%u", values[i].field);
        value(d, key, &type);
        snprintf(key, sizeof key, "field_error_%u", values[i].field);
        value(d, key, &error);
        snprintf(key, sizeof key, "field_%u", values[i].field);
        values[i].type = (unsigned)type;
        values[i].result = value(d, key, &n) ? SUCCESS : (unsigned)error;
        if (type == 0) values[i].value.d = (double)n;
        else if (type == 5) values[i].value.si = (int)n;
        else values[i].value.ull = (unsigned long long)n;
    }
    return code;
}
#endif
