"""What the checkout holds, as git sees it (or, in an export, the folder)."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def files(*suffixes):
    """Paths relative to ROOT, tracked or new but not ignored."""
    try:
        out = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files",
             "-co", "--exclude-standard", "-z"],
            check=True, capture_output=True, text=True).stdout
        names = [n for n in out.split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*")
                 if p.is_file() and not str(p.relative_to(ROOT))
                 .startswith(("build", ".git/"))]
    return [pathlib.PurePosixPath(n) for n in sorted(set(names))
            if (not suffixes or n.endswith(suffixes))
            and (ROOT / n).is_file()]


def text(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def without_comments(source):
    """C source with comments and string contents blanked, lines kept."""
    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + re.sub(r"[^\n]", "_", found[1:-1]) + found[-1]
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\""
                  r"|'(?:\\.|[^'\\\n])*'", blank, source, flags=re.S)
