"""What the engine says of a series (`timellm_engine.data`), in Chinese: findings, and the parts of
problems, `where: found this; expected that`."""

_OFF = (
    r"([\d,]+) timestamps? off the steps of (\S+) from the first row, the first in row (\d+), (.+)"
)
_SKIPPED = r"([\d,]+) timestamps? (?:is|are) skipped in ([\d,]+) places?, the first after (.+)"
_ONE_STEP = "预测时每一行都算一步"
_DATE = "2016-07-01 00:00:00"

_FINDINGS: tuple[tuple[str, str], ...] = (
    (
        (
            r'([\d,]+) cells? of (\d+) without a finite number, first (.+) in (column "[^"]*", row'
            r" .+): filled by (the value before|a line between its neighbours)\."
        ),
        r"\2 行中有 \1 格不是有限的数，第一处为\3（\4）：已用\5填补。",
    ),
    (
        r"Cells without a finite number are in ([\d,]+) more columns?\.",
        r"另有 \1 列中也有不是有限数的格。",
    ),
    (
        (
            r"Timestamps went back (once|\d+ times), first in (row .+ after .+); the rows were"
            r" sorted\."
        ),
        r"时间戳倒退\1，第一处在\2；各行已排序。",
    ),
    (
        (
            r"([\d,]+) rows? had the timestamp of another one, first (.+);"
            r" (the first of each was kept|the last of each was kept|their mean was taken)\."
        ),
        r"\1 行的时间戳与别的行相同，第一处为 \2；\3。",
    ),
    (rf"Found ({_OFF}); forecasts take every row for one step\.", rf"\1；{_ONE_STEP}。"),
    (
        rf"({_SKIPPED}); forecasts take every row for one step of (\S+)\.",
        rf"\1；{_ONE_STEP}（\5）。",
    ),
    (rf"({_SKIPPED}); rows were added for them\.", r"\1；已为它们补上行。"),
    (
        (
            r"([\d,]+) rows? and ([\d,]+) columns?: the usual file of (\S+) has (\d+) and (\d+), so"
            r" results do not compare with published ones\."
        ),
        r"\1 行 \2 列：\3 通常的文件有 \4 行 \5 列，因此结果不能与已发表的相比。",
    ),
    (
        r"Dates are read with the day before the month, which fits them best\.",
        r"日期按“日在月前”读取，这样最符合。",
    ),
    (r"Timestamps with an offset are taken in UTC\.", r"带时区偏移的时间戳按 UTC 读取。"),
    (r"([Ii]n the training rows, .+)\. They are scaled to zeros\.", r"\1。它们被缩放为零。"),
    (r"([Ii]n the training rows, .+)\. They are left out\.", r"\1。它们已被去掉。"),
)

_PARTS: tuple[tuple[str, str], ...] = (
    # where
    (r"the synthetic series", r"合成序列"),
    (r'column "([^"]*)", row (\d+) \(line (\d+)\)', r"列“\1”第 \2 行，文件第 \3 行"),
    (r'column "([^"]*)", row (\d+)', r"列“\1”第 \2 行"),
    (r'(.+), (column "[^"]*", row \d+.*)', r"\1，\2"),
    (r"(.+), row (\d+) \(line (\d+)\)", r"\1，第 \2 行（文件第 \3 行）"),
    # found
    (r"nothing", r"空格"),
    (r"once", r" 1 次"),
    (r"(\d+) times", r" \1 次"),
    (r"row (\d+), (.+) after (.+)", r"第 \1 行（\2 在 \3 之后）"),
    (r"the value before", r"前一个值"),
    (r"a line between its neighbours", r"相邻值的连线"),
    (r"the first of each was kept", r"各保留第一行"),
    (r"the last of each was kept", r"各保留最后一行"),
    (r"their mean was taken", r"已取平均值"),
    (r"(.+), one of (\d+) such cells", r"\1（共有 \2 个这样的格）"),
    (r"(.+), one of (\d+) such cells of the column", r"\1（这一列共有 \2 个这样的格）"),
    (
        r"no number, nor one before it; the first is in row (\d+)",
        r"没有数，之前也没有；第一个数在第 \1 行",
    ),
    (
        r"timestamps that go back, (once|\d+ times), first in (row .+ after .+)",
        r"时间戳倒退\1，第一处在\2",
    ),
    (
        r"([\d,]+) rows? with the timestamp of another one, the first at (.+)",
        r"\1 行的时间戳与别的行相同，第一处为 \2",
    ),
    (_OFF, r"\1 个时间戳不在从第一行起每 \2 一步的位置上，第一处在第 \3 行（\4）"),
    (_SKIPPED, r"跳过了 \1 个时间戳，在 \2 处，第一处在 \3 之后"),
    (
        r"([\d,]+) skipped timestamps? in ([\d,]+) places?, the first after (.+)",
        r"跳过了 \1 个时间戳，在 \2 处，第一处在 \3 之后",
    ),
    (r"numbers too large to be squared, in (.+)", r"数值过大，平方会溢出：\1"),
    (
        r"[Ii]n the training rows, (\d+) of ([\d,]+) columns? never change: (.+)",
        r"训练行中，\2 列里有 \1 列从不变化：\3",
    ),
    (r"(.+) and (\d+) more", r"\1 等，另有 \2 个"),
    (
        r"the target (.+), which never changes in the training rows",
        r"目标列 \1，它在训练行中从不变化",
    ),
    (r"([\d,]+) rows?", r"\1 行"),
    (r"([\d,]+) rows?, of which (\d+) for training", r"\1 行，其中 \2 行用于训练"),
    (
        r"([\d,]+) rows?, of which (\d+) for validation with its look-back",
        r"\1 行，其中 \2 行（含回看）用于验证",
    ),
    (
        r"([\d,]+) rows?, of which (\d+) for test with its look-back",
        r"\1 行，其中 \2 行（含回看）用于测试",
    ),
    (r'no column "([^"]*)" in (.+)', r"\2 中没有列“\1”"),
    (r'the column "([^"]*)" twice', r"列“\1”出现两次"),
    (r"(\d+) cells", r"\1 格"),
    (r"(.+), which cannot be read \((.+)\)", r"\1，无法读取（\2）"),
    (r"(.+), which is no CSV file in UTF-8 \((.+)\)", r"\1，不是 UTF-8 的 CSV 文件（\2）"),
    (r"(.+), which is no Parquet file \((.+)\)", r"\1，不是 Parquet 文件（\2）"),
    # expected
    (
        r'a finite number, or data\.missing = "previous" or "interpolate"',
        r'有限的数，或 data.missing = "previous" 或 "interpolate"',
    ),
    (r"a finite number at least somewhere in the column", r"这一列中至少有一个有限的数"),
    (
        r'a number to begin with, or data\.missing = "interpolate"',
        r'开头有一个数，或 data.missing = "interpolate"',
    ),
    (
        r'timestamps in order, or data\.unordered = "sort"',
        r'按顺序的时间戳，或 data.unordered = "sort"',
    ),
    (
        r'each timestamp once, or data\.duplicates = "first", "last" or "mean"',
        r'每个时间戳只出现一次，或 data.duplicates = "first"、"last" 或 "mean"',
    ),
    (r"(\S+), the step between most rows of (.+)", r"\1，即 \2 大多数行的间隔"),
    (r'a regular step, or data\.gaps = "report"', r'固定的间隔，或 data.gaps = "report"'),
    (r'none, or (data\.\w+) = ("\w+") or ("\w+")', r"没有，或 \1 = \2 或 \3"),
    (
        r'another data\.target, or data\.constant = "report"',
        r'别的 data.target，或 data.constant = "report"',
    ),
    (r"no more than (\d+) times the rows after filling", r"补全后不超过原来行数的 \1 倍"),
    (r"other units", r"换一个单位"),
    (r"at least two", r"至少两行"),
    (rf"a timestamp such as {_DATE}", rf"时间戳，如 {_DATE}"),
    (
        rf"a timestamp such as {_DATE}, between 1678 and 2262",
        rf"时间戳，如 {_DATE}，在 1678 年至 2262 年之间",
    ),
    (r"a timestamp after (.+)", r"\1 之后的时间戳"),
    (r"at most (.+), the last row's", r"最晚 \1，即最后一行"),
    (
        r"at least (\d+): 20 months of 30 days, as (\S+) is split",
        r"至少 \1 行：\2 按每月 30 天的 20 个月划分",
    ),
    (
        (
            r"at least (\d+) there: data\.seq_len (\d+) and data\.pred_len (\d+); more rows, or"
            r" shorter windows"
        ),
        r"那里至少 \1 行（data.seq_len \2 加 data.pred_len \3）；用更多的行，或更短的窗口",
    ),
    (
        (
            r"at least (\d+) there: data\.seq_len (\d+) and data\.pred_len (\d+), data\.percent"
            r" (\d+); more rows, or shorter windows"
        ),
        (
            r"那里至少 \1 行（data.seq_len \2 加 data.pred_len \3，data.percent \4）；"
            r"用更多的行，或更短的窗口"
        ),
    ),
    (r"a CSV or Parquet file", r"CSV 或 Parquet 文件"),
    (r"one of (.+)", r"其中之一：\1"),
    (r"a name of its own for each", r"每列各有名字"),
    (r"(\d+), as in the header", r"\1 格，与表头相同"),
)

OF_DATA = (*_FINDINGS, *_PARTS)
