"""Go as plainly as it can be written: a dict of stones, chains by flood, a set of past boards."""

import itertools


class SlowGo:
    """Side 0 is Black. `history` holds the boards before this one, each a frozenset of items."""

    def __init__(self, rows, columns, suicide=False):
        self.rows, self.columns, self.suicide = rows, columns, suicide
        self.stones, self.side, self.passes = {}, 0, 0
        self.history = []

    def points(self):
        return itertools.product(range(self.rows), range(self.columns))

    def around(self, point):
        row, column = point
        for near in ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column)):
            if 0 <= near[0] < self.rows and 0 <= near[1] < self.columns:
                yield near

    def connected(self, stones, point):
        """The points connected to this one that hold the same, and the points around them."""
        inside, border, pending = {point}, set(), [point]
        while pending:
            for near in self.around(pending.pop()):
                if stones.get(near) != stones.get(point):
                    border.add(near)
                elif near not in inside:
                    inside.add(near)
                    pending.append(near)
        return inside, border

    def without_liberties(self, stones, point):
        chain, border = self.connected(stones, point)
        return set() if any(near not in stones for near in border) else chain

    def after(self, point):
        """The stones after a move here, or None if the move is suicide and that is forbidden."""
        stones = {**self.stones, point: self.side}
        for near in self.around(point):
            if stones.get(near) == 1 - self.side:
                for taken in self.without_liberties(stones, near):
                    del stones[taken]
        own = self.without_liberties(stones, point)
        if own and not self.suicide:
            return None
        return {p: side for p, side in stones.items() if p not in own}

    def legal(self):
        """The legal actions, ascending; the pass is last."""
        past = {*self.history, frozenset(self.stones.items())}
        actions = []
        for row, column in self.points():
            if (row, column) in self.stones:
                continue
            stones = self.after((row, column))
            if stones is not None and frozenset(stones.items()) not in past:
                actions.append(row * self.columns + column)
        return [*actions, self.rows * self.columns]

    def step(self, action):
        self.history.append(frozenset(self.stones.items()))
        if action == self.rows * self.columns:
            self.passes += 1
        else:
            self.passes = 0
            self.stones = self.after(divmod(action, self.columns))
        self.side = 1 - self.side

    def area(self):
        """Black's points minus White's."""
        return sum(self.owner(point) for point in self.points())

    def owner(self, point):
        """1 for a stone of Black or a point that reaches Black alone, -1 for White, else 0."""
        if point in self.stones:
            reached = {self.stones[point]}
        else:
            reached = {self.stones[p] for p in self.connected(self.stones, point)[1]}
        return 1 - 2 * reached.pop() if len(reached) == 1 else 0
