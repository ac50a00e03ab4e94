"""The texts on what each way to stop does and costs, in both languages."""

from msgspec import Struct

from timellm_dashboard.words.text import Lang


class StoppingWords(Struct, frozen=True, kw_only=True):
    """A field a text."""

    saving: str
    saving_now: str
    no_room: str
    no_room_free: str
    waits_for_room: str
    waits_for_room_free: str
    script_interrupted: str
    script_ended: str
    once_loaded: str
    after_evaluation: str
    after_test: str
    while_saving: str
    at_risk: str
    at_risk_user: str
    at_risk_now: str
    at_risk_silent: str
    engine_gone: str
    as_last_seen: str
    left_held: str
    left_user: str

    ask_saves: str
    ask_no_room: str
    no_room_cost: str
    ask_once_loaded: str
    ask_not_again: str
    ask_script: str
    killed_after: str
    grace: str
    if_killed: str
    if_killed_free: str
    script_cost: str
    script_cost_unsaved: str
    script_free: str
    gentler: str
    gentler_script: str
    gentler_not_again: str


EN = StoppingWords(
    saving="saving a checkpoint first",
    saving_now="saving at the next step, killed if that takes too long",
    no_room="the disk has no room for its checkpoint: make room, or {steps} would be lost",
    no_room_free="the disk has no room for a checkpoint, but there is no step since the last",
    waits_for_room="waits for room on the disk to record how it ended; {steps} not known as saved",
    waits_for_room_free="waits for room on the disk to record how it ended; no step is lost",
    script_interrupted="interrupting the script",
    script_ended="ending the script",
    once_loaded="as soon as the engine is up",
    after_evaluation="when the evaluation is done and saved",
    after_test="when the final test is done",
    while_saving="as soon as the checkpoint is on disk",
    at_risk="{steps} at risk until the next save",
    at_risk_user="{steps} at risk until it is resumed and saved",
    at_risk_now="{steps} at risk until the engine has saved",
    at_risk_silent=(
        "{steps} at risk; <stop> waits for a save that may not come, <stop_now> does not"
    ),
    engine_gone="no engine is at work; it goes on from step {step}",
    as_last_seen="{told}, as last seen",
    left_held="stops at the next checkpoint once it goes on",
    left_user="stops at the next checkpoint once it is resumed",
    ask_saves="The engine is asked to save at its next step and to end.",
    ask_no_room="The engine is asked to save and to end. The disk has no room for a checkpoint.",
    no_room_cost="Unless there is room by then, {steps} would be lost. Make room first.",
    ask_once_loaded="The engine is loading. It ends as soon as it is up.",
    ask_not_again="The engine has ended and is not started again.",
    ask_script="The script is ended. It has no way to save itself.",
    killed_after="If it is still there after {grace}, it is killed.",
    grace="the time of supervisor.stop_grace_s",
    if_killed="If it is still there after {grace}, it is killed: only then {steps} would be lost.",
    if_killed_free="If it is still there after {grace}, it is killed: even then no step is lost.",
    script_cost="{steps} since its best weights would be lost: a script cannot resume.",
    script_cost_unsaved="{steps} would be lost: nothing of it is saved yet.",
    script_free="Its best weights are on disk, and there is no step since.",
    gentler=(
        "<stop> instead goes on to the next checkpoint and stops there, however long that takes."
    ),
    gentler_script="<stop> instead ends it once its next checkpoint is on disk.",
    gentler_not_again="timellm-ops run --resume goes on from its last checkpoint later.",
)

ZH = StoppingWords(
    saving="先保存检查点",
    saving_now="在下一步保存，太久则强制结束",
    no_room="磁盘没有空间保存检查点：请腾出空间，否则会丢失 {steps}",
    no_room_free="磁盘没有空间保存检查点，但最新检查点之后没有新的步",
    waits_for_room="正在等待磁盘空间以记录如何结束；{steps}是否已保存尚不清楚",
    waits_for_room_free="正在等待磁盘空间以记录如何结束；没有丢失任何一步",
    script_interrupted="正在中断脚本",
    script_ended="正在结束脚本",
    once_loaded="引擎就绪后立即停止",
    after_evaluation="评估结束并保存检查点后",
    after_test="最终测试结束后",
    while_saving="检查点写入磁盘后",
    at_risk="{steps}尚未保存，要等下次保存",
    at_risk_user="{steps}尚未保存，要等有人恢复并保存",
    at_risk_now="{steps}尚未保存，要等引擎保存",
    at_risk_silent="{steps}尚未保存；<stop> 等待的保存可能不会到来，<stop_now> 不等",
    engine_gone="没有引擎在工作；将从第 {step} 步继续",
    as_last_seen="最后所见：{told}",
    left_held="恢复后在下一个检查点停止",
    left_user="有人恢复后在下一个检查点停止",
    ask_saves="会要求引擎在下一步保存并结束。",
    ask_no_room="会要求引擎保存并结束，但磁盘没有空间保存检查点。",
    no_room_cost="如果届时没有空间，会丢失 {steps}。请先腾出空间。",
    ask_once_loaded="引擎正在加载；就绪后立即结束。",
    ask_not_again="引擎已经结束，不再重新启动。",
    ask_script="会结束脚本。脚本无法自己保存。",
    killed_after="如果 {grace}后它还在，就强制结束。",
    grace="supervisor.stop_grace_s 所给的时间",
    if_killed="如果 {grace}后它还在，就强制结束：只有这时才会丢失 {steps}。",
    if_killed_free="如果 {grace}后它还在，就强制结束：即使这样也不丢失任何一步。",
    script_cost="会丢失保存最佳权重之后的 {steps}：脚本不能续训。",
    script_cost_unsaved="会丢失 {steps}：还没有保存任何东西。",
    script_free="最佳权重已在磁盘上，其后没有新的步。",
    gentler="改按 <stop> 会继续到下一个检查点再停止，无论需要多久。",
    gentler_script="改按 <stop> 会等它的下一个检查点落盘后再结束。",
    gentler_not_again="以后可用 timellm-ops run --resume 从最新的检查点继续。",
)


def stopping_words(lang: Lang) -> StoppingWords:
    """The texts in `lang`. The English ones are ASCII."""
    return ZH if lang == "zh" else EN
