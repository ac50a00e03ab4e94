"""Every word on the screen that is not from the journal, in English and Chinese.

A language is one value of `Words`; that both have every text is a matter of types.
"""

from typing import Literal

from msgspec import Struct

Lang = Literal["en", "zh"]


class Words(Struct, frozen=True, kw_only=True):
    """One language. Names in braces are filled in by whoever uses the text."""

    # units and times
    seconds: str
    minutes: str
    minutes_seconds: str
    hours_minutes: str
    days_hours: str
    under_a_minute: str
    just_now: str
    ago: str
    tomorrow: str
    yesterday: str
    s_per_step: str
    ms_per_step: str

    colon: str
    comma: str

    # states, and what is said behind them
    loading: str
    loading_reason: str
    waiting: str
    waiting_reason: str
    waiting_in_vain: str
    starting: str
    starting_reason: str
    restarting: str
    starts_again: str
    starts_again_from: str
    training: str
    solving_head: str
    training_reason: str
    training_epoch_only: str
    evaluating: str
    evaluating_reason: str
    evaluating_test: str
    pausing: str
    paused: str
    resuming: str
    resuming_reason: str
    stopping: str
    stop_after_checkpoint: str
    stop_kill: str
    then_stops: str
    finished: str
    stopped: str
    stopped_for_hardware: str
    failed: str
    refused: str
    imported: str
    imported_reason: str
    unsupervised: str
    unsupervised_reason: str
    unsupervised_never: str
    silent: str
    silent_reason: str
    about: str
    paced: str
    overridden: str

    # what the run is
    script: str
    imported_log: str
    imported_weights: str
    resumed_run: str
    windows_of: str
    trainable: str
    all_frozen_on: str

    # progress and time
    epoch: str
    epoch_of: str
    validation: str
    test: str
    total: str
    step: str
    step_of: str
    window_of: str
    steps_unknown: str
    left: str
    done_at: str
    done_not_before: str
    left_early_stop: str
    left_plus_evaluation: str
    left_script: str
    left_when_resumed: str
    left_no_steps: str
    left_not_measured: str
    left_stopping: str
    left_unsupervised: str
    left_silent: str
    ended_at: str
    took: str
    elapsed: str
    paused_total: str
    pauses: str
    not_paused: str
    patience: str

    # loss and epochs
    loss_title: str
    loss: str
    loss_unit: str
    smoothed: str
    batch: str
    lr: str
    loss_none: str
    loss_never: str
    loss_untold: str
    speed: str
    epochs_title: str
    epochs_unit: str
    best_mark: str
    saved_mark: str
    column_epoch: str
    column_train: str
    column_vali: str
    column_test: str
    column_mae: str
    column_time: str
    column_lr: str
    epochs_none: str
    epochs_never: str
    earlier: str
    final_test: str

    # the GPU
    gpu_title: str
    unknown: str
    simulated: str
    recorded: str
    gpu_none: str
    gpu_imported: str
    gpu_waiting: str
    gpu_never: str
    gpu_gone: str
    gpu_over: str
    gpu_lost: str
    gpu_asleep: str
    gpu_old: str
    gpu_last: str
    cool: str
    warm: str
    hot: str
    peak: str
    mark_resume: str
    mark_pause: str
    mark_emergency: str
    mark_slowdown: str
    mark_shutdown: str
    temperature: str
    memory: str
    power: str
    clock: str
    load: str
    throttle: str
    throttle_none: str
    energy: str
    processes: str
    of_power: str
    recent_minutes: str
    whole_run: str

    # machine
    host_title: str
    host_cpu: str
    host_load: str
    host_memory: str
    host_disk: str
    host_battery: str
    host_on_battery: str
    host_plugged_in: str

    # checkpoints
    checkpoints_title: str
    safe: str
    yes: str
    no: str
    ended: str
    safe_nothing_yet: str
    safe_everything: str
    safe_writing: str
    risk_no_checkpoint: str
    risk_steps: str
    risk_script_none: str
    risk_script_steps: str
    risk_script_since: str
    safe_script: str
    safe_ended: str
    safe_imported: str
    lost_steps: str
    best: str
    last: str
    none_yet: str
    none_at_all: str
    vali: str
    record: str
    """One of a script's words of progress, where it tells no steps."""
    saved_at_step: str
    saved_mid_epoch: str
    saved_in_epoch: str
    on_disk: str
    verified: str
    risk_unsupervised: str
    steps: str
    unknown_count: str
    go_on_with: str

    # events
    events_title: str
    events_none: str
    events_newer: str
    events_left_out: str
    damaged_lines: str
    ev_run_started: str
    ev_run_resumed: str
    ev_gpu_none: str
    ev_gpu_simulated: str
    ev_engine_started: str
    ev_training: str
    ev_head: str
    ev_head_solved: str
    ev_epoch: str
    ev_epoch_goes_on: str
    ev_evaluating_vali: str
    ev_evaluating_test: str
    ev_epoch_ended: str
    ev_epoch_test: str
    ev_epoch_took: str
    ev_lr: str
    ev_no_improvement: str
    ev_early_stop: str
    ev_final: str
    ev_saved_best: str
    ev_saved_last: str
    ev_saved_step: str
    ev_not_saved: str
    ev_paused: str
    ev_paused_signal: str
    ev_went_on: str
    ev_went_on_after: str
    ev_paced: str
    ev_power_limit: str
    ev_power_refused: str
    ev_command: str
    ev_overridden: str
    ev_policy: str
    ev_adopted: str
    ev_adopted_ended: str
    ev_exited: str
    ev_exited_signal: str
    ev_exited_unknown: str
    ev_failed: str
    ev_restart: str
    ev_telemetry_lost: str
    ev_telemetry_gone: str
    ev_telemetry_asleep: str
    act_pause: str
    act_renewed: str
    act_resume: str
    act_pace: str
    act_stop: str
    act_alert: str
    cmd_pause: str
    cmd_resume: str
    cmd_stop_checkpoint: str
    cmd_stop_after_checkpoint: str
    cmd_stop_now: str
    cmd_stop_kill: str
    rule_user: str
    rule_thermal: str
    rule_telemetry: str
    rule_health: str
    rule_power: str
    rule_vram: str
    rule_sharing: str
    rule_disk: str
    rule_battery: str
    rule_schedule: str
    rule_governor: str

    # plain form
    plain_gone: str

    # the screen's own
    ctrl_c: str
    ctrl_c_ended: str
    stop_now_title: str
    stop_now_yes: str
    stop_now_no: str
    override_title: str
    override_body: str
    override_end: str
    override_yes: str
    override_no: str
    override_none: str
    not_sent: str
    already_ended: str
    palette: str
    help_title: str
    help_keys: str
    help_numbers: str
    help_close: str
    help_now: str


def words(lang: Lang) -> Words:
    """The texts of a language."""
    if lang == "zh":
        from timellm_dashboard.words.chinese import ZH

        return ZH
    from timellm_dashboard.words.english import EN

    return EN
