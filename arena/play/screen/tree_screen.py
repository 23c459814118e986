"""The window that browses a finished search: open a move to see its replies."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, Tree
from textual.widgets.tree import TreeNode

from arena.engine.tree import ROOT, Branch, branches
from envs.game import Game
from mcts.forest import Forest

HEADER = "move  prior  visits  value for the mover"


def branch_text(word: str, branch: Branch) -> Text:
    """Format a move: its word, prior, visits, value for its mover, and what is proven."""
    value = "    -" if branch.value is None else f"{branch.value:+.2f}"
    text = Text(f"{word:4} {100 * branch.prior:5.1f}% ")
    text.append(f"{branch.visits:>7,} ", "bold")
    text.append(value, "green" if (branch.value or 0) > 0 else "red" if branch.value else "")
    if branch.exact is not None:
        known = {1.0: "win", 0.0: "draw", -1.0: "loss"}.get(branch.exact, "known")
        text.append(f" proven {known}" + (f" in {branch.plies}" if branch.plies else ""), "cyan")
    return text


class TreeScreen(ModalScreen[None]):
    """A search tree over the current screen; a move's replies are read when it is opened."""

    CSS = """
    TreeScreen { align: center middle; }
    TreeScreen > Vertical { width: 90%; height: 90%; border: round $accent; padding: 0 1; }
    TreeScreen Static { height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,t", "dismiss", "close"),
        Binding("ctrl+c", "app.leave", priority=True, show=False),
        Binding("right", "open", show=False),
        Binding("left", "shut", show=False),
    ]

    def __init__(self, game: Game, forest: Forest, title: str) -> None:
        super().__init__()
        self.game = game
        self.forest = forest
        self.heading = title

    def compose(self) -> ComposeResult:
        """Lay out the headings and the tree."""
        with Vertical() as box:
            box.border_title = Text(self.heading).markup
            box.border_subtitle = "enter opens, arrows walk, esc closes"
            yield Static(HEADER)
            yield Tree[int | None](Text(self.heading), data=ROOT)

    def on_mount(self) -> None:
        """Show the moves of the root."""
        tree = self._tree()
        self._fill(tree.root)
        tree.root.expand()
        tree.focus()

    def _tree(self) -> Tree[int | None]:
        found: Tree[int | None] = self.query_one(Tree)
        return found

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[int | None]) -> None:
        """Read the moves of a node that is opened for the first time."""
        self._fill(event.node)

    def _fill(self, node: TreeNode[int | None]) -> None:
        if node.children or node.data is None:
            return
        for branch in branches(self.forest, node.data):
            word = self.game.written(
                self.forest.states[0, node.data].view(self.game.dtype)[0], branch.action
            )
            label = branch_text(word, branch)
            inner = branch.child is not None and self.forest.nodes["num_edges"][0, branch.child]
            node.add(label, data=branch.child, allow_expand=bool(inner))

    def action_open(self) -> None:
        """Open the move under the cursor."""
        node = self._tree().cursor_node
        if node is not None and node.allow_expand:
            node.expand()

    def action_shut(self) -> None:
        """Close the move under the cursor, or go to the one above it."""
        tree = self._tree()
        node = tree.cursor_node
        if node is not None and node.is_expanded and not node.is_root:
            node.collapse()
        elif node is not None and node.parent is not None:
            tree.move_cursor(node.parent)
