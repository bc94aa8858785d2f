# SPDX-License-Identifier: Apache-2.0
"""A class with names beyond ASCII, for Python 3: it calls back `descend`, which it is given."""


class Größe:
    def __init__(self, descend, depth, turn):
        self.descend, self.depth, self.turn = descend, depth, turn

    def __len__(self):
        return self.descend(self.depth, self.turn)

    def 計算(self):
        return len(self)


def by_class(descend, depth, turn):
    return Größe(descend, depth, turn).計算()
