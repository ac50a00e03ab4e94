"""A plan for people, on one page."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from timellm_ops.cli.options import Language
from timellm_ops.cli.plan_texts import TEXTS, PlanTexts
from timellm_ops.contract.counting import Count
from timellm_ops.contract.plan import FitPlan, MemoryPlan, Plan, TensorPlan
from timellm_ops.contract.sizes import size_text

_INDENT = "  "


def page(plan: Plan, lang: Language) -> str:
    """The whole plan, section after section."""
    texts = TEXTS[lang]
    sections = (
        (texts.splits, _splits(plan, texts)),
        (texts.steps, _steps(plan, texts)),
        (texts.trainable, _weights(plan, texts)),
        (texts.backbone, _backbone(plan, texts)),
        (texts.memory.format(where=texts.memory_where[plan.device]), _memory(plan, texts)),
        (texts.files, _files(plan, texts)),
        (texts.time, _time(plan, texts)),
        (texts.fit, [] if plan.fit is None else _fit(plan.fit, texts)),
    )
    blocks = []
    for title, lines in sections:
        found = list(lines)
        if found:
            blocks.append("\n".join((title, *(f"{_INDENT}{line}" for line in found))))
    return "\n\n".join(blocks)


def _splits(plan: Plan, texts: PlanTexts) -> Iterator[str]:
    data = plan.data
    if data.source or data.dataset == "synthetic":
        yield data.source or "synthetic"
    else:
        yield texts.as_published.format(
            dataset=data.dataset, rows=Count(data.rows), columns=Count(data.columns)
        )
    rows = [
        (
            texts.names[split.name],
            f"{split.rows:,}",
            f"{split.look_back:,}",
            split.first,
            split.last,
            f"{split.windows:,}",
            f"{split.columns:,}",
            f"{split.samples:,}",
        )
        for split in data.splits
    ]
    yield from _table((texts.split_columns, *rows), right={1, 2, 5, 6, 7})


def _steps(plan: Plan, texts: PlanTexts) -> Iterator[str]:
    steps = plan.steps
    epoch, total, with_partial, without, pieces, batches = texts.step_rows

    def both(first: int, all_epochs: int) -> str:
        return f"{first:,} × {steps.epochs} = {all_epochs:,}"

    rows = [
        (epoch, f"{steps.per_epoch:,}"),
        (total.format(epochs=Count(steps.epochs)), f"{steps.total:,}"),
        (with_partial, both(steps.per_epoch_with_partial, steps.total_with_partial)),
        (without, both(steps.per_epoch_without_partial, steps.total_without_partial)),
    ]
    if steps.pieces_per_step > 1:
        rows.append((pieces, f"{steps.pieces_per_step:,}"))
    rows.append((batches, f"{steps.vali_batches:,}, {steps.test_batches:,}"))
    yield from _table(rows)
    if steps.partial_batch:
        yield texts.partial.format(count=steps.partial_batch, size=Count(steps.batch_size))


def _weights(plan: Plan, texts: PlanTexts) -> Iterator[str]:
    trainable = plan.trainable
    if trainable is None:
        return
    tensors = [tensor for module in trainable.modules for tensor in module.tensors]
    rows = [
        (
            tensor.name,
            " × ".join(f"{size:,}" for size in tensor.shape),
            f"{tensor.parameters:,}",
            size_text(tensor.bytes),
            _depends(tensor),
        )
        for tensor in tensors
    ]
    total = (texts.total, "", f"{trainable.parameters:,}", size_text(trainable.bytes), "")
    yield from _table((texts.weight_columns, *rows, total), right={2, 3})
    largest = max(trainable.modules, key=lambda module: module.parameters)
    yield texts.share_words.format(module=largest.name, share=f"{100 * largest.share:.1f} %")


def _depends(tensor: TensorPlan) -> str:
    return "; ".join(", ".join(settings) if settings else "3" for settings in tensor.depends)


def _backbone(plan: Plan, texts: PlanTexts) -> Iterator[str]:
    backbone = plan.backbone
    name = backbone.known_as or backbone.source
    if backbone.parameters is None or backbone.bytes is None:
        yield texts.backbone_unknown.format(name=name)
    else:
        yield texts.backbone_words.format(
            name=name,
            kept=backbone.kept_layers,
            layers=Count("?" if backbone.layers is None else backbone.layers),
            count=f"{backbone.parameters:,}",
            size=size_text(backbone.bytes),
            dtype=backbone.dtype,
        )
        if plan.trainable is not None:
            yield texts.prompt.format(
                tokens=Count(plan.prompt_tokens or 0), patches=Count(plan.trainable.patches)
            )
    yield texts.known_from[backbone.known_from].format(source=backbone.source, known=name)


def _memory(plan: Plan, texts: PlanTexts) -> Iterator[str]:
    whats = dict.fromkeys(item.what for phase in plan.memory for item in phase.items)
    if not whats:
        return
    columns = [{item.what: item for item in phase.items} for phase in plan.memory]
    rows = [("", *(texts.names[phase.phase] for phase in plan.memory), "")]
    for what in whats:
        found = [column.get(what) for column in columns]
        basis = next(item.basis for item in found if item is not None)
        sizes = ("-" if item is None else size_text(item.bytes) for item in found)
        rows.append((texts.names.get(what, what), *sizes, texts.basis[basis]))
    rows.append((texts.peak, *(size_text(phase.bytes) for phase in plan.memory), ""))
    if plan.measured is not None:
        rows.append((texts.measured_peak, *map(_measured, plan.memory), ""))
    yield from _table(rows, right={1, 2, 3})


def _measured(phase: MemoryPlan) -> str:
    if phase.measured_bytes is None:
        return "-"
    off = 100 * (phase.bytes / phase.measured_bytes - 1)
    return f"{size_text(phase.measured_bytes)} ({off:+.0f} %)"


def _files(plan: Plan, texts: PlanTexts) -> Iterator[str]:
    files = plan.files
    if files is None:
        return
    rows = [
        (where, file.name, size_text(file.bytes), f"{file.bytes:,}")
        for where, found in (
            ("checkpoints/best", files.best), ("checkpoints/last", files.last),
            ("bundle", files.bundle),
        )
        for file in found
    ]  # fmt: skip
    yield from _table((texts.file_columns, *rows), right={2, 3})
    yield texts.files_note.format(kept=size_text(files.kept_bytes))


def _time(plan: Plan, texts: PlanTexts) -> Iterator[str]:
    time, measured = plan.time, plan.measured
    if time is None or measured is None:
        yield texts.time_unknown
        return
    step, evaluated, epoch, whole = texts.time_rows
    yield from _table(
        [
            (step, f"{measured.seconds_per_step:.3f} s", measured.device),
            (evaluated, f"{measured.windows_per_second:,.0f} /s", ""),
            (epoch, duration(time.per_epoch_s), ""),
            (whole, duration(time.total_s), ""),
        ]
    )


def _fit(fit: FitPlan, texts: PlanTexts) -> Iterator[str]:
    needed, memory = size_text(fit.needed_bytes), size_text(fit.memory_bytes)
    if fit.fits:
        left = size_text(fit.memory_bytes - fit.needed_bytes)
        yield texts.fits.format(needed=needed, memory=memory, left=left)
        return
    yield texts.fits_not.format(needed=needed, memory=memory)
    for remedy in fit.remedies:
        words = texts.remedy.format(
            changes=", ".join(remedy.changes), needed=size_text(remedy.needed_bytes)
        )
        yield f"{words}, {texts.remedy_fits if remedy.fits else texts.remedy_not}"
    if not any(remedy.fits for remedy in fit.remedies):
        yield texts.no_remedy


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _table(
    rows: Sequence[Sequence[str]], right: frozenset[int] | set[int] = frozenset()
) -> list[str]:
    """Rows with aligned columns; a column that is empty throughout is left out."""
    used = [c for c in range(len(rows[0])) if any(row[c] for row in rows[1:])]
    widths = {c: max(cell_len(row[c]) for row in rows) for c in used}

    def cell(text: str, column: int) -> str:
        blanks = " " * (widths[column] - cell_len(text))
        return blanks + text if column in right else text + blanks

    return ["  ".join(cell(row[c], c) for c in used).rstrip() for row in rows]
