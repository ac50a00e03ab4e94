"""Real processes that save slowly, each the way a training does."""

WRITER = r"""
import os, sys, time, zipfile
kind, folder = sys.argv[1], sys.argv[2]
def tick():
    # goes on when it is told to, one step for each line
    assert sys.stdin.readline()
def say(words):
    print(words, flush=True)
os.makedirs(folder, exist_ok=True)
tick()
if kind == "torch":
    with zipfile.ZipFile(os.path.join(folder, "model.pth"), "w", zipfile.ZIP_STORED) as file:
        file.writestr("model/data.pkl", b"x" * 100000)
        file.fp.flush()
        say("begun")
        tick()
        file.writestr("model/data/0", b"x" * 100000)
elif kind == "plain":
    with open(os.path.join(folder, "model.ckpt"), "wb") as file:
        file.write(b"x" * 100000)
        file.flush()
        say("begun")
        tick()
        file.write(b"x" * 100000)
elif kind == "folder":
    into = os.path.join(folder, "checkpoint-7")
    os.makedirs(into)
    for name in ("model.pt", "optimizer.pt"):
        with zipfile.ZipFile(os.path.join(into, name), "w", zipfile.ZIP_STORED) as file:
            file.writestr("data", b"x" * 100000)
    say("begun")
    tick()
    with open(os.path.join(into, "trainer_state.json"), "w") as file:
        file.write("{}")
say("done")
tick()
"""
"""`kind folder`; begins to save at the first line of input, and ends it at the second."""
