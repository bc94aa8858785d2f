# SPDX-License-Identifier: Apache-2.0
"""A class with names in ASCII, for Python 2: it calls back `descend`, which it is given."""


class Size(object):
    def __init__(self, descend, depth, turn):
        self.descend, self.depth, self.turn = descend, depth, turn

    def __len__(self):
        return self.descend(self.depth, self.turn)

    def work(self):
        return len(self)


def by_class(descend, depth, turn):
    return Size(descend, depth, turn).work()
