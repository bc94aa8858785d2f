# SPDX-License-Identifier: Apache-2.0
"""names.py [SECONDS]: functions and files with names of every kind call the leaf in turn; see truth.py."""

import os
import shutil
import sys
import tempfile
import zipfile

import truth
from truth import leaf

LONG = "f" + "x" * 299
LONG_WIDE = "𐐀" * 200  # four bytes a character
FILES = {
    "größe.py": "größe", "计算.py": "计算", "😀 path/😀.py": "in_emoji_path", "spaces and (brackets).py": "in_brackets",
    "semi;colon.py": "in_semicolon", "'\"&<>.py": "in_markup", "d" * 150 + "/" + "e" * 200 + ".py": "in_long_path",
    "ÿ" * 100 + ".py": "in_latin", "Ж" * 100 + ".py": "in_cyrillic", LONG[:200] + ".py": LONG,
    "/".join(("😀" * 60,) * 4) + "/deep.py": LONG_WIDE,
}
NAMESPACE = {"leaf": leaf}


class Δ:
    def μέθοδος(self):
        return leaf()

    class Внутри:
        @staticmethod
        def 方法():
            return leaf()


class 𝔘nicode𐐀:
    def 𐐀𐐁(self):
        return leaf()


def made(source, file):
    namespace = dict(NAMESPACE)
    exec(compile(source, file, "exec"), namespace)
    return namespace["f"]


ODD_FILES = ("<string>", "<ipython-input-1-2>", "", "no/such/dir/../file.py", "/", "100%")


def from_file(directory, name, function):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\ndef %s():\n    return leaf()\n" % function)
    with open(path, encoding="utf-8") as file:
        namespace = dict(NAMESPACE)
        exec(compile(file.read(), path, "exec"), namespace)
    return namespace[function]


def zipped(directory):
    with zipfile.ZipFile(os.path.join(directory, "größe.zip"), "w") as file:
        file.writestr("im_zip/__init__.py", "")
        file.writestr("im_zip/mödul.py", "from truth import leaf\n\ndef funktion():\n    return leaf()\n")
    sys.path.insert(0, os.path.join(directory, "größe.zip"))
    from im_zip import mödul
    return mödul.funktion


def main():
    end = truth.clock() + float(sys.argv[1])
    directory = tempfile.mkdtemp()
    functions = [from_file(directory, name, function) for name, function in FILES.items()]
    functions += [made("def f(): return leaf()\n", file) for file in ODD_FILES]
    functions += [Δ().μέθοδος, Δ.Внутри.方法, 𝔘nicode𐐀().𐐀𐐁, zipped(directory)]
    print("ready", flush=True)
    while truth.clock() < end:
        for function in functions:
            function()
    shutil.rmtree(directory)


main()
