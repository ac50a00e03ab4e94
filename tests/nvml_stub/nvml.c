/* A stand-in for the driver's libnvidia-ml.so.1 that plays a script.
 *
 * The file named by NVML_STUB_SCRIPT is read anew at every call. Its lines:
 *   value KEY N...        what KEY is, call after call; the last number stays
 *   error FUNCTION CODE   FUNCTION answers with this nvmlReturn_t
 *   hang FUNCTION         FUNCTION never returns
 *   crash FUNCTION        FUNCTION writes to address 0
 * Built with -DOLD_DRIVER it lacks the functions that came late, so that the bindings meet a
 * missing symbol. Struct layouts are those of nvml.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define INSUFFICIENT_SIZE 7
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

static int device;

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

/* The number of `key` for this call; 0 when the script has none. */
static int value(const char *key, long long *out) {
    static struct { char key[64]; int calls; } seen[MAX_KEYS];
    char line[1024];
    int found = 0, slot = 0;
    while (slot < MAX_KEYS - 1 && seen[slot].key[0] && strcmp(seen[slot].key, key)) slot++;
    strncpy(seen[slot].key, key, sizeof seen[slot].key - 1);
    FILE *file = script();
    while (file && fgets(line, sizeof line, file)) {
        char *verb = strtok(line, " \n"), *name = strtok(NULL, " \n"), *number;
        if (!verb || !name || strcmp(verb, "value") || strcmp(name, key)) continue;
        for (int i = 0; (number = strtok(NULL, " \n")) && i <= seen[slot].calls; i++) {
            *out = atoll(number);
            found = 1;
        }
    }
    if (file) fclose(file);
    seen[slot].calls++;
    return found;
}

/* The common case: one number, or "not supported" where the script has none. */
static int number(const char *function, const char *key, long long *out) {
    int code = play(function);
    if (code != SUCCESS) return code;
    return value(key, out) ? SUCCESS : NOT_SUPPORTED;
}

#define NUMBER(function, key, type, target)                \
    long long n;                                           \
    int code = number(function, key, &n);                  \
    if (code == SUCCESS) (target) = (type)n;               \
    return code

int nvmlInitWithFlags(unsigned flags) { (void)flags; return play("nvmlInitWithFlags"); }
int nvmlShutdown(void) { return play("nvmlShutdown"); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    int code = play("nvmlDeviceGetHandleByIndex_v2");
    *handle = &device;
    return code != SUCCESS ? code : index > 0 ? INVALID_ARGUMENT : SUCCESS;
}

int nvmlDeviceGetUUID(void *d, char *text, unsigned length) {
    (void)d;
    snprintf(text, length, "GPU-00000000-1111-2222-3333-444444444444");
    return play("nvmlDeviceGetUUID");
}

int nvmlDeviceGetName(void *d, char *text, unsigned length) {
    (void)d;
    snprintf(text, length, "Scripted RTX");
    return play("nvmlDeviceGetName");
}

int nvmlDeviceGetTemperature(void *d, unsigned sensor, unsigned *out) {
    (void)d, (void)sensor;
    NUMBER("nvmlDeviceGetTemperature", "temperature", unsigned, *out);
}

int nvmlDeviceGetTemperatureThreshold(void *d, unsigned kind, unsigned *out) {
    (void)d;
    NUMBER("nvmlDeviceGetTemperatureThreshold", kind == 0 ? "shutdown" : "slowdown", unsigned, *out);
}

int nvmlDeviceGetMemoryInfo(void *d, Memory *out) {
    (void)d;
    long long total = 0;
    value("memory_total", &total);
    out->total = total;
    NUMBER("nvmlDeviceGetMemoryInfo", "memory_used_with_reserved", unsigned long long, out->used);
}

int nvmlDeviceGetPowerUsage(void *d, unsigned *out) {
    (void)d;
    NUMBER("nvmlDeviceGetPowerUsage", "power_mw", unsigned, *out);
}

int nvmlDeviceGetEnforcedPowerLimit(void *d, unsigned *out) {
    (void)d;
    NUMBER("nvmlDeviceGetEnforcedPowerLimit", "power_limit_mw", unsigned, *out);
}

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

int nvmlDeviceGetPowerManagementLimit(void *d, unsigned *out) {
    (void)d;
    if (set_limit(0) && play("nvmlDeviceGetPowerManagementLimit") == SUCCESS) {
        *out = set_limit(0);
        return SUCCESS;
    }
    NUMBER("nvmlDeviceGetPowerManagementLimit", "power_limit_mw", unsigned, *out);
}

int nvmlDeviceGetPowerManagementLimitConstraints(void *d, unsigned *lowest, unsigned *highest) {
    (void)d;
    long long most = 0;
    if (!value("power_highest_mw", &most)) return NOT_SUPPORTED;
    *highest = (unsigned)most;
    NUMBER("nvmlDeviceGetPowerManagementLimitConstraints", "power_lowest_mw", unsigned, *lowest);
}

int nvmlDeviceSetPowerManagementLimit(void *d, unsigned milliwatts) {
    (void)d;
    int code = play("nvmlDeviceSetPowerManagementLimit");
    if (code == SUCCESS) set_limit(milliwatts);
    return code;
}

int nvmlDeviceGetUtilizationRates(void *d, Utilization *out) {
    (void)d;
    NUMBER("nvmlDeviceGetUtilizationRates", "utilization", unsigned, out->gpu);
}

int nvmlDeviceGetClockInfo(void *d, unsigned kind, unsigned *out) {
    (void)d;
    if (kind != 1) return INVALID_ARGUMENT;
    NUMBER("nvmlDeviceGetClockInfo", "sm_clock", unsigned, *out);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *out) {
    (void)d;
    NUMBER("nvmlDeviceGetCurrentClocksThrottleReasons", "throttle", unsigned long long, *out);
}

int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *out) {
    (void)d;
    NUMBER("nvmlDeviceGetTotalEnergyConsumption", "energy_mj", unsigned long long, *out);
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *count, Process *out) {
    (void)d;
    long long pid;
    int code = play("nvmlDeviceGetComputeRunningProcesses_v3");
    if (code != SUCCESS) return code;
    if (!value("process", &pid)) { *count = 0; return SUCCESS; }
    if (*count < 1) { *count = 1; return INSUFFICIENT_SIZE; }
    *count = 1;
    out[0] = (Process){ .pid = (unsigned)pid, .used = 1ULL << 30 };
    return SUCCESS;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetTemperatureV(void *d, TemperatureV1 *out) {
    (void)d;
    NUMBER("nvmlDeviceGetTemperatureV", "temperature", int, out->temperature);
}

int nvmlDeviceGetMemoryInfo_v2(void *d, MemoryV2 *out) {
    (void)d;
    long long total = 0;
    value("memory_total", &total);
    out->total = total;
    NUMBER("nvmlDeviceGetMemoryInfo_v2", "memory_used", unsigned long long, out->used);
}

int nvmlDeviceGetCurrentClocksEventReasons(void *d, unsigned long long *out) {
    (void)d;
    NUMBER("nvmlDeviceGetCurrentClocksEventReasons", "throttle", unsigned long long, *out);
}

int nvmlDeviceGetMarginTemperature(void *d, MarginV1 *out) {
    (void)d;
    NUMBER("nvmlDeviceGetMarginTemperature", "margin", int, out->margin);
}

int nvmlDeviceGetFieldValues(void *d, int count, FieldValue *values) {
    (void)d;
    int code = play("nvmlDeviceGetFieldValues");
    for (int i = 0; i < count; i++) {
        long long n;
        char key[32];
        snprintf(key, sizeof key, "field_%u", values[i].field);
        values[i].type = 5; /* signed int */
        values[i].result = value(key, &n) ? SUCCESS : NOT_SUPPORTED;
        if (values[i].result == SUCCESS) values[i].value.si = (int)n;
    }
    return code;
}
#endif
