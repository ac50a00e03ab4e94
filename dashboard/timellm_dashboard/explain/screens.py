"""What the screens show, and how to leave them."""

from timellm_dashboard.actions import Said
from timellm_dashboard.explain.passage import Explanation

SCREENS: tuple[Explanation, ...] = (
    Explanation(
        id="events",
        covers=("feed", "feed_left_out", "damaged_lines"),
        title=Said("Events", "事件"),
        body=Said(
            "What has happened, newest last; arrows and page keys go back. All of it is in the"
            " journal of the run's folder, with more than is shown here. A line of it that a crash"
            " or a full disk has torn cannot be read: it is skipped, and counted in the title.",
            "发生过的事，最新的在最后；方向键和翻页键可往回看。全部都在运行文件夹的日志里，比这里"
            "更详细。因崩溃或磁盘写满而残缺的行无法读取：会被跳过，标题里写着有几行。",
        ),
        now=lambda view: view.damaged_lines.text,
    ),
    Explanation(
        id="report",
        title=Said("Report", "报告"),
        body=Said(
            "Screen 6: what is left of the run when it ends, and what there is of it so far:"
            " results, pauses by rule, heat, checkpoints, what to do next. <report_save> writes it"
            " as a page with plots.",
            "画面 6：运行结束后留下的，或目前已有的：成绩、各规则的暂停、温度、检查点、接下来做什"
            "么。按 <report_save> 写成带图的网页。",
        ),
    ),
    Explanation(
        id="leave",
        title=Said("Leaving", "离开"),
        body=Said(
            "The dashboard only looks. Closing it, or the terminal, never touches the run:"
            " timellm-ops attach brings it back, as often as you like.",
            "仪表盘只是观看。关闭它或终端都不会影响运行：timellm-ops attach 可以随时再次打开。",
        ),
    ),
    Explanation(
        id="timeline",
        title=Said("Timeline", "时间线"),
        body=Said(
            "Everything on one time axis. The axis is time under supervision: a night in which"
            " nobody supervised the run has no width, but the clock times below are right. Where"
            " something is not known there is a gap and no line. The cursor reads all tracks: what"
            " lies in its cell, lowest to highest. pace is the share of the time in which the"
            " engine computes, 0 while it stands. The row of marks has what was done or happened:"
            " pauses, paces, power limits, checkpoints, ends of epochs, notes, requests, engines"
            " that ended, supervisors that came. Of a long run, a stretch of a few"
            " seconds is the finest that is kept.",
            "所有内容在同一条时间轴上。时间轴只计有监管的时间：无人监管的一夜没有宽度，"
            "但下方的钟点是对的。未知之处是空白，不画线。光标读出各条曲线：它所在那一格中的最低到最高值。"
            "节奏是引擎计算时间所占的比例，停住时为 0。标记一行是所做的事：暂停、继续、"
            "设定节奏或功率上限、保存检查点、一轮结束、提示、请求、引擎结束、监管进程的开始和结束。"
            "对很长的运行，最细只保留几秒一段。",
        ),
    ),
    Explanation(
        id="rules",
        title=Said("Rules", "规则"),
        body=Said(
            "Each rule of the config, how it stands, what it sees now, where its threshold is, and"
            " what it would do next. watching: it does nothing at the moment. told you: what it"
            " tells of is so now, and the events say it. holding: the run stands still because of"
            " it; the lines above say why and until when. overridden: a person has said that it"
            " may not hold the run for a while (<override>); it may still stop it. unknown: what"
            " it watches cannot be told. off: it does nothing, and says why: it is not set, or"
            " there is no GPU to watch. A threshold that is changed here (<policies_change>)"
            " counts for the rest of this run, also when it is stopped and resumed, and is in the"
            " journal with who changed it; the config file stays as it was.",
            "配置里的每条规则：它的状态、当前看到的值、界限，以及下一步会做什么。监视中：目前什么"
            "也不做。已通知：它要通知的情况正在发生，事件里有记录。暂停中：运行因它而停住，上方写"
            "明原因和到什么时候。已越过：有人让它在一段时间内不得暂停运行（<override> 键），但它仍"
            "可以停止运行。未知：它所看的东西读不到。关闭：它什么也不做，并写明原因：没有设置，或"
            "没有可看的 GPU。在这里改动的界限（<policies_change> 键）对这次运行的剩余部分有效，停"
            "止后恢复也有效，并连同改动者记入运行日志；配置文件不变。",
        ),
        now=lambda view: view.rules.note,
        covers=("rules",),
    ),
    Explanation(
        id="log",
        title=Said("Log", "日志"),
        body=Said(
            "What the engine itself has printed, in the published format: iters and loss every so"
            " many steps, speed and left time by the published formula (seconds of the last step"
            " times the steps left, without evaluations and pauses; the time left on the overview"
            " knows of both), one line an epoch, Saving model, and a traceback if it failed.",
            "引擎自己的输出，沿用已发表代码的格式：每隔若干步一行 iters 和 loss；"
            "speed 和 left time 按原公式计算"
            "（最近一步的秒数乘以剩余步数，不含评估和暂停；总览上的剩余时间两者都算）；"
            "每轮一行结果；Saving model；失败时有 traceback。",
        ),
    ),
    Explanation(
        id="runs",
        title=Said("Runs and comparisons", "各次运行与对比"),
        body=Said(
            "All runs of the folder, with the best validation loss and the test errors of those"
            " weights. Runs that are marked (<runs_mark>) can be compared (<runs_compare>): the"
            " keys of their configs that differ, results beside each other, losses over steps."
            " Errors are only compared where the task is the same: data, lengths and split. One"
            " run each is one seed each: a small difference between them is no proof that one"
            " config is better.",
            "文件夹里的所有运行，附最佳验证损失和这些权重的测试误差。标记（<runs_mark> 键）几次运"
            "行后可以对比（<runs_compare> 键）：配置中不同的项、并排的结果、按步的损失。只有任务相"
            "同（数据、长度和划分）才比较误差。各跑一次就是各用一个种子：差别很小时，不能证明哪个"
            "配置更好。",
        ),
    ),
    Explanation(
        id="ledger",
        title=Said("Lost time", "损失的时间"),
        body=Said(
            "Time that heat, power limits, pace, pauses and silence took, by cause. lasted: how"
            " long the cause was there. lost: what it cost. A pause costs all of its time, a pace"
            " of 80 % a fifth of it. An engine that was to work and said nothing for minutes (hung,"
            " stopped from outside, waiting for a disk) was silent: that costs all but the time in"
            " which a word was due. For a card that slows itself down, steps made while most of the"
            " time was slowed are compared with the median of steps made at full speed; without"
            " such steps the cost is unknown, not 0. steps: how many would have fitted into the"
            " time lost. share: of the supervised time. of time left: the last hour's losses,"
            " carried on for as long as the run still takes.",
            "过热、功率上限、节奏、暂停和没有动静所占去的时间，按原因列出。持续：该原因存在了多久。损失：它的代价。"
            "暂停的代价是全部时间；80 % 的节奏代价是五分之一。"
            "本该工作的引擎几分钟没有一句话（卡住、被外部停住、等待磁盘），就是没有动静："
            "代价是除去通常等一句话的时间之外的全部。显卡自行降频时，"
            "把大部分时间都在降频的那些步与全速各步的中位数相比；"
            "没有全速的步可比时，代价是未知，而不是 0。"
            "步数：损失的时间里本可完成多少步。占比：占有监管时间的比例。"
            "占剩余时间：按最近一小时的损失，推算到运行结束。",
        ),
        covers=("ledger",),
        now=lambda view: view.ledger.line,
    ),
)
