"""Questions about the data: where it is, how it is split, and what windows and batches are."""

from timellm_dashboard.answers.answer import Block, Say, Table, Told
from timellm_dashboard.answers.diagrams import (
    own_steps,
    patches_diagram,
    path_diagram,
    shares_diagram,
    windows_diagram,
)
from timellm_dashboard.answers.facts import Facts
from timellm_dashboard.words import format as fmt
from timellm_ops.contract.counting import Count

_EMBEDDED = "embedded"


def paths(facts: Facts, say: Say) -> Told:
    """Which files a run needs, and where they are looked for."""
    data, backbone = facts.plan.data, facts.config.backbone.source
    built_in = say("built in, nothing to fetch", "内置，无需下载")
    drawn = say("drawn from the seed, no file", "由种子生成，无需文件")
    series = data.source or (
        drawn if data.dataset == "synthetic" else say("not here yet", "这里还没有")
    )
    model = built_in if backbone == _EMBEDDED else backbone
    named = (data.dataset == "custom") + (backbone != _EMBEDDED)
    rows = (
        (say("what", "内容"), say("key", "键"), say("found", "现在")),
        (say("series", "数据"), "data.path", series),
        (say("language model", "语言模型"), "backbone.source", model),
    )
    return Told(
        brief=say(
            "Two keys name files, data.path and backbone.source; {which}. Nothing else has to be"
            " edited.",
            "只有 data.path 和 backbone.source 两个键指向文件；{which}。其余都不必改。",
            which=(
                say("this config needs neither", "此配置两个都不需要"),
                say("this config needs one of them", "此配置需要其中一个"),
                say("this config needs both", "此配置两个都需要"),
            )[named],
        )
        if facts.own
        else say(
            "A script reads the files that it was written to read. For our own engine two keys name"
            " files, data.path and backbone.source.",
            "脚本读取它自己写定的文件。我们自己的引擎只有 data.path 和 backbone.source 两个键指向文"
            "件。",
        ),
        blocks=(
            *((Table(rows=rows, titled=True),) if facts.own else ()),
            say.passage(
                "A relative path begins at the folder of the config file, not where the command is"
                " typed, so a config works from anywhere. With data.path empty, a published data"
                " set is looked for in TIMELLM_DATA_DIR and in the cache, and downloaded once. A"
                " backbone is a folder or a hub id.",
                "相对路径从配置文件所在的文件夹算起，与在哪里输入命令无关，因此配置在任何地方都能"
                "用。"
                "data.path 为空时，公开数据集会在 TIMELLM_DATA_DIR 和缓存里查找，没有则下载一次。"
                "语言模型可以是文件夹，也可以是 hub 上的名称。",
            ),
            say.passage(
                "Both are checked before a run's folder is made: timellm-ops doctor CONFIG says in"
                " a second what is missing. A run keeps the full paths in its config.toml.",
                "创建运行文件夹之前两者都会检查：timellm-ops doctor CONFIG 一秒内就能说出缺什么。"
                "运行会在自己的 config.toml 里记下完整路径。",
            ),
        ),
        numbers={
            "dataset": data.dataset,
            "data_source": data.source,
            "backbone": backbone,
            "keys_needed": named if facts.own else None,
        },
    )


def iterations(facts: Facts, say: Say) -> Told:
    """From rows to windows to iterations."""
    section, train, steps = facts.config.data, facts.split("train"), facts.plan.steps
    used = train.windows + section.seq_len + section.pred_len - 1
    rows = (
        (say("training rows", "训练行数"), fmt.count(used), ""),
        (
            say("windows of a column", "每列的窗口"),
            fmt.count(train.windows),
            f"{used:,} - {section.seq_len:,} - {section.pred_len:,} + 1",
        ),
        (
            say("samples", "样本"),
            fmt.count(train.samples),
            say(
                "{windows} x {columns:column|columns}",
                "{windows} x {columns} 列",
                windows=fmt.count(train.windows),
                columns=Count(train.columns),
            ),
        ),
        (
            say("iterations of an epoch", "每轮迭代"),
            fmt.count(steps.per_epoch),
            f"{train.samples:,} / {steps.batch_size:,}",
        ),
    )
    rest: tuple[Block, ...] = ()
    if steps.partial_batch:
        rest = (
            say.passage(
                "{batch} does not divide {samples}: a last batch of {rest} is left, which is"
                " {kept}.",
                "{samples} 不能被 {batch} 整除，最后剩下 {rest} 个样本的一批，{kept}。",
                batch=steps.batch_size,
                samples=fmt.count(train.samples),
                rest=steps.partial_batch,
                kept=say("left out (train.drop_last)", "被舍去（train.drop_last）")
                if steps.drop_last
                else say("trained too", "也会训练"),
            ),
        )
    return Told(
        brief=say(
            "{samples:sample|samples} in batches of {batch}: {steps:iteration|iterations} an"
            " epoch.",
            "{samples} 个样本，每批 {batch} 个：每轮 {steps} 次迭代。",
            samples=Count(train.samples),
            batch=steps.batch_size,
            steps=Count(steps.per_epoch),
        ),
        blocks=(
            say.passage(
                "A sample is a window of one column: {seq:step|steps} to look at and the {pred}"
                " after them to forecast. The next window begins one step later, so a long series"
                " holds nearly as many windows as rows. Every column has its own: the model"
                " forecasts each column by itself.",
                "一个样本是某一列的一个窗口：先看 {seq} 步，再预测其后的 {pred} 步。"
                "下一个窗口只晚一步开始，所以长序列的窗口数几乎等于行数。"
                "每一列都有自己的窗口：模型逐列独立预测。",
                seq=Count(section.seq_len),
                pred=section.pred_len,
            ),
            windows_diagram(
                section.seq_len, section.pred_len, train.windows, say("window", "窗口")
            ),
            Table(rows=rows, right=(1,)),
            *rest,
        ),
        numbers={
            "rows": used,
            "windows": train.windows,
            "columns": train.columns,
            "samples": train.samples,
            "batch_size": steps.batch_size,
            "iterations_per_epoch": steps.per_epoch,
        },
    )


def windows(facts: Facts, say: Say) -> Told:
    """The two things that slide."""
    section, model = facts.config.data, facts.config.model
    length = section.seq_len + section.pred_len
    overlap = max(0, model.patch_len - model.stride)
    own = own_steps(section.seq_len, model.patch_len, model.stride, facts.patches)
    repeated = model.patch_len - own
    rows = (
        ("", say("length", "长度"), say("moves by", "步长"), say("overlap", "重叠")),
        (say("window of the series", "序列的窗口"), f"{length:,}", "1", f"{length - 1:,}"),
        (
            say("patch of a window", "窗口的 patch"),
            f"{model.patch_len:,}",
            f"{model.stride:,}",
            f"{overlap:,}",
        ),
    )
    return Told(
        brief=say(
            "Windows move by 1 step and share {shared} of {length}; patches move by {stride} and"
            " share {overlap} of {patch}.",
            "窗口每次移动 1 步，{length} 步里重叠 {shared} 步；patch 每次移动 {stride} 步，"
            "{patch} 步里重叠 {overlap} 步。",
            shared=f"{length - 1:,}",
            length=f"{length:,}",
            stride=model.stride,
            overlap=overlap,
            patch=model.patch_len,
        ),
        blocks=(
            Table(rows=rows, right=(1, 2, 3), titled=True),
            windows_diagram(
                section.seq_len,
                section.pred_len,
                facts.split("train").windows,
                say("window", "窗口"),
            ),
            say.passage(
                "Moving by 1 makes every moment of the training rows the beginning of a forecast"
                " once: more samples from the same series, with no gap between them. In an epoch"
                " they come in a shuffled order, so neighbours seldom meet in one batch.",
                "每次只移动 1 步，训练数据里的每个时刻都会当一次预测的起点：同样的序列得到更多样"
                "本，"
                "中间没有空缺。每轮的顺序是打乱的，相邻的窗口很少落在同一批里。",
            ),
            patches_diagram(
                section.seq_len,
                model.patch_len,
                model.stride,
                facts.patches,
                say("patch", "patch"),
                say(
                    "the end, repeated {times:time|times}",
                    "末尾的值重复 {times} 次",
                    times=Count(repeated),
                ),
            ),
            say.passage(
                "Inside a window, ({seq} - {patch}) / {stride}, rounded down, + 2 = {patches}"
                " patches:"
                " the last one reaches over the end, whose value is repeated for it.",
                "一个窗口内有 ({seq} - {patch}) / {stride}（取整）+ 2 = {patches} 个 patch："
                "最后一个伸出末尾，由末尾的值重复补齐。",
                seq=section.seq_len,
                patch=model.patch_len,
                stride=model.stride,
                patches=facts.patches,
            ),
        ),
        numbers={
            "window_length": length,
            "window_overlap": length - 1,
            "patch_len": model.patch_len,
            "stride": model.stride,
            "patch_overlap": overlap,
            "patches": facts.patches,
            "repeated_steps": repeated,
        },
    )


def batch(facts: Facts, say: Say) -> Told:
    """What one iteration works on."""
    section, model, steps = facts.config.data, facts.config.model, facts.plan.steps
    size, patches = steps.batch_size, facts.patches
    stages = (
        (say("windows", "窗口"), f"{size:,}, {section.seq_len:,}", say("cut", "切分")),
        (
            say("patches", "patch"),
            f"{size:,}, {patches:,}, {model.patch_len:,}",
            say("embed", "嵌入"),
        ),
        (
            say("embedded", "嵌入后"),
            f"{size:,}, {patches:,}, {model.d_model:,}",
            say("model", "模型"),
        ),
        (say("forecasts", "预测"), f"{size:,}, {section.pred_len:,}", ""),
    )
    pieces: tuple[Block, ...] = ()
    if steps.pieces_per_step > 1:
        pieces = (
            say.passage(
                "To need less memory, an iteration computes its batch in {count} pieces, one after"
                " the other (train.accumulate); the step is the same.",
                "为节省显存，一次迭代把批次分成 {count} 份依次计算（train.accumulate）；这一步的结"
                "果不变。",
                count=steps.pieces_per_step,
            ),
        )
    return Told(
        brief=say(
            "Windows: {size} of them, each cut into {patches:patch|patches}, {all:patch|patches}"
            " in all.",
            "是窗口：{size} 个，每个切成 {patches} 个 patch，共 {all} 个 patch。",
            size=size,
            patches=Count(patches),
            all=Count(size * patches),
        ),
        blocks=(
            path_diagram(stages),
            say.passage(
                "An iteration takes {size:window|windows}, forecasts each of them, and moves the"
                " weights once by the mean error of all. Patches are how the model reads one"
                " window, as words are how it reads a sentence: all patches of a window stay"
                " together.",
                "一次迭代取 {size} 个窗口，逐个预测，再按它们的平均误差移动一次权重。"
                "patch 是模型读取一个窗口的方式，就像用词读一句话：同一窗口的 patch 总在一起。",
                size=Count(size),
            ),
            *pieces,
        ),
        numbers={
            "batch_size": size,
            "patches_per_window": patches,
            "patches_per_batch": size * patches,
            "pieces": steps.pieces_per_step,
        },
    )


def splits(facts: Facts, say: Say) -> Told:
    """Which rows are for what."""
    names = {
        "train": say("training", "训练"),
        "vali": say("validation", "验证"),
        "test": say("test", "测试"),
    }
    parts = facts.plan.data.splits
    total = sum(part.rows for part in parts)
    shares = {part.name: part.rows / total for part in parts}
    titles = (
        say("split", "部分"),
        say("rows", "行数"),
        say("share", "占比"),
        say("from", "从"),
        say("to", "到"),
        say("samples", "样本"),
    )
    rows = tuple(
        (
            names[part.name],
            fmt.count(part.rows),
            f"{100 * shares[part.name]:.0f} %",
            part.first[:10],
            part.last[:10],
            fmt.count(part.samples),
        )
        for part in parts
    )
    unused = facts.plan.data.rows - total
    back = facts.split("test").look_back
    dated = any(part.first for part in parts)
    shown = tuple(row if dated else (*row[:3], row[5]) for row in (titles, *rows))
    blocks: list[Block] = [
        shares_diagram(
            [(f"{names[p.name]} {100 * shares[p.name]:.0f} %", float(p.rows)) for p in parts]
        ),
        Table(rows=shown, right=(1, 2, 5 if dated else 3), titled=True),
        say.passage(
            "In order of time: the model learns from the oldest part and is tried on what came"
            " later. Validation and test begin with {back:row|rows} of the part before them, as"
            " look-back: their forecasts stay within their own rows.",
            "按时间先后划分：模型从最早的部分学习，在之后的部分上检验。验证和测试的开头会借用前一"
            "部分的"
            " {back} 行作为历史；它们的预测都落在自己的行里。",
            back=Count(back),
        ),
        say.passage(
            "Training rows move the weights. Validation decides after each epoch which weights are"
            " the best and when to stop early. Test decides nothing: it is the number to report"
            " (train.test = {test}).",
            "训练部分移动权重。验证在每轮之后决定哪一轮最佳、何时提前停止。测试不决定任何事，"
            "只是用来报告的数字（train.test = {test}）。",
            test=facts.config.train.test,
        ),
    ]
    if unused > 0:
        blocks.append(
            say.passage(
                "{unused:row of the file is|rows of the file are} in no part.",
                "文件中有 {unused} 行不属于任何部分。",
                unused=Count(unused),
            )
        )
    return Told(
        brief=say(
            "{train:row trains|rows train}, {vali} validate, {test} test: {shares}.",
            "{train} 行训练，{vali} 行验证，{test} 行测试：{shares}。",
            train=Count(parts[0].rows),
            vali=fmt.count(parts[1].rows),
            test=fmt.count(parts[2].rows),
            shares=" / ".join(f"{100 * share:.0f} %" for share in shares.values()),
        ),
        blocks=tuple(blocks),
        numbers={
            **{f"{part.name}_rows": part.rows for part in parts},
            **{f"{part.name}_samples": part.samples for part in parts},
            "look_back": back,
            "unused_rows": unused,
        },
    )
