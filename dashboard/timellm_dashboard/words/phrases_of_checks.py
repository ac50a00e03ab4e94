"""What the checks before a start have found (`timellm_ops.preflight`), in Chinese."""

OF_CHECKS: tuple[tuple[str, str], ...] = (
    (r"Data: (.+), ([\d,]+) rows?, sha256 (\w+)…\.?", r"数据：\1，\2 行，sha256 \3…。"),
    (r"Rows from (.+) to (.+), (\S+) apart\.", r"各行从 \1 到 \2，间隔 \3。"),
    (r"This is not the published (\S+): its bytes differ\.", r"这不是已发表的 \1：内容不同。"),
    (r"Synthetic data, ([\d,]+) rows? from seed (\d+)\.", r"合成数据，\1 行，种子 \2。"),
    (r"Backbone: embedded, nothing to fetch\.", r"骨干：内置，无需下载。"),
    (r"Backbone: (.+), in the hub's cache\.", r"骨干：\1，在 hub 的缓存中。"),
    (
        r"Backbone: (.+) will be fetched from the hub when the engine starts\.",
        r"骨干：\1，引擎启动时从 hub 下载。",
    ),
    (r"Backbone: (.+)\.", r"骨干：\1。"),
    (r"Disk: (.+) free in (.+), about (.+) needed\.", r"磁盘：\2 中有 \1 可用，大约需要 \3。"),
    (r"Memory: (.+) of (.+) are available\.", r"内存：共 \2，可用 \1。"),
    (
        (
            r"CUDA_VISIBLE_DEVICES=(\S+) names GPUs by other means than numbers: make sure that"
            r" gpu\.index (\d+) is the card that is trained on\."
        ),
        r"CUDA_VISIBLE_DEVICES=\1 不是用编号指定 GPU：请确认 gpu.index \2 就是训练用的显卡。",
    ),
    (r"GPU (\S+) is watched, by (\S+)\.", r"按 \2 监视 GPU \1。"),
    (r"GPU (\S+) is watched\.", r"监视 GPU \1。"),
    (
        r"A foreign command in (.+); its data and backbone are its own affair\.",
        r"在 \1 中运行外部命令；数据和骨干由它自己负责。",
    ),
    (r"Its output is read as (.+) says\.", r"按 \1 读取它的输出。"),
)
