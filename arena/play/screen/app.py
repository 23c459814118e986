"""The Textual app: draws a session and handles its keys."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Key
from textual.widgets import Input, Static

from arena.engine.snapshot import Snapshot
from arena.engine.threads import all_threads_end
from arena.play.leaving import leave_by_signals, run_until_left
from arena.play.screen import panels
from arena.play.screen.board import (
    Cell,
    CellMarks,
    Grid,
    actions_by_cell,
    changed_cells,
    digit_actions,
    read_grid,
    winning_cells,
)
from arena.play.screen.help_screen import HelpScreen
from arena.play.screen.move_history import GameFileError, MoveHistory, read_game, write_game
from arena.play.screen.picking import Picker, move_ends
from arena.play.screen.review import Review
from arena.play.screen.session import FinishedThought, GameSession
from arena.play.screen.tree_screen import TreeScreen
from arena.play.screen.widgets import BoardView, Panel
from envs.game import NotationError

TICK_S = 0.05
THOUGHT_S = 0.2  # between redraws of a running search: each takes time from the keys
SWITCH_S = 0.0005  # at most, until a searching thread yields the interpreter to the screen's
LAST_WAIT_S = 1.0  # for searches to end after their slice, on leaving
PROMPTS = {"move": "move: ", "save": "save as: ", "open": "open: "}
SHORT_HELP = "u undo h hint +- strength a analysis t tree ? keys q leave"


class View(NamedTuple):
    """What is read of a position: its cells, and those where a stone may be put."""

    grid: Grid
    legal: tuple[Cell, ...]


class PlayApp(App[None]):
    """A game to play, watch and analyse.

    Args:
        notice: first message, such as the chosen opponent.
        plain: tell the players apart without colours.
    """

    TITLE = "Ludens"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    AUTO_FOCUS = ""  # the prompt would take the keys
    CSS = """
    #sides { height: 2; padding: 0 1; }
    #middle { height: 1fr; }
    #board { width: 3fr; height: 100%; }
    #side { width: 2fr; height: 100%; padding: 0 0 0 1; }
    #status { height: 2; }
    #thought { height: 3fr; }
    #moves { height: 2fr; }
    #message { height: 1; color: $warning; padding: 0 1; }
    #prompt { display: none; height: 1; border: none; padding: 0 1; }
    #keys { height: 1; color: $text-muted; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", priority=True),
        Binding("q", "leave"),
        Binding("u", "ask('undo')"),
        Binding("r", "ask('redo')"),
        Binding("h", "ask('ask_hint')"),
        Binding("x", "ask('swap_sides')"),
        Binding("n", "ask('new_game')"),
        Binding("p", "ask('pause')"),
        Binding("full_stop", "ask('step')"),
        Binding("space", "ask('stop_thinking')"),
        Binding("plus,equals_sign", "strength(True)"),
        Binding("minus", "strength(False)"),
        Binding("m", "prompt('move')"),
        Binding("s", "prompt('save')"),
        Binding("o", "prompt('open')"),
        Binding("a", "analyse"),
        Binding("t", "tree"),
        Binding("question_mark,f1", "help"),
        Binding("left", "walk(0, -1)"),
        Binding("right", "walk(0, 1)"),
        Binding("up", "walk(-1, 0)"),
        Binding("down", "walk(1, 0)"),
        Binding("home", "jump(0)"),
        Binding("end", "jump(-1)"),
        Binding("enter", "accept"),
        Binding("escape", "escape"),
    ]

    def __init__(self, session: GameSession, notice: str = "", plain: bool = False) -> None:
        super().__init__()
        self.session = session
        self.game = session.game
        self.review: Review | None = None
        self.review_ply = 0
        self.cursor: Cell | None = None
        self._was_paused = False
        self._asked = "move"  # what the prompt is for
        self._plain = plain
        self._picker = Picker(self.game)
        self._views: dict[bytes, View] = {}
        session.message = notice
        grid = read_grid(self.game, self.game.new_state())
        self._cells = actions_by_cell(self.game, grid) if grid else {}
        self._digits = digit_actions(self.game, grid, self._cells)

    def compose(self) -> ComposeResult:
        """Lay out the sides on top, the board beside the text, message and keys below."""
        yield Panel(lambda w, h: panels.sides_text(self.session, w), id="sides")
        with Horizontal(id="middle"):
            yield BoardView(self.game, self._plain, id="board")
            with Vertical(id="side"):
                yield Panel(self._status, THOUGHT_S, id="status")
                yield Panel(self._thought, THOUGHT_S, id="thought")
                yield Panel(self._moves, id="moves")
        yield Panel(lambda w, h: Text(self._message(), no_wrap=True), id="message")
        yield Input(id="prompt", compact=True)
        yield Static(SHORT_HELP, id="keys", markup=False)

    def on_mount(self) -> None:
        """Start the session's clock and the redrawing."""
        leave_by_signals(self._leave)
        self.set_interval(TICK_S, lambda: self._tick(asked=False))
        self._tick()

    def _tick(self, asked: bool = True) -> None:
        """Advance the session; `asked` by a key, or by the clock."""
        self.session.tick()
        opened, self.session.opened = self.session.opened, None
        if opened is not None:
            self._open_tree(opened)
        self._show(asked)

    def _show(self, asked: bool = True) -> None:
        """Redraw what changed."""
        for base in self.screen_stack[:1]:  # none is left when the last tick comes late
            for board in base.query(BoardView):
                board.show(self._board())
            for panel in base.query(Panel):
                panel.show(asked)

    # --- what is shown ---

    @property
    def _shown_history(self) -> tuple[MoveHistory, int]:
        """Return the game and the ply shown."""
        if self.review is not None:
            return self.review.history, self.review_ply
        return self.session.history, len(self.session.history.moves)

    def _board(self) -> tuple[Grid, CellMarks] | Text:
        history, ply = self._shown_history
        state = history.states[ply]
        view = self._view(state)
        if view is None:
            return Text.from_ansi(self.game.render(state))
        grid = view.grid
        over = bool(self.game.rules.is_terminal(state))
        action = self._suggestion()
        hinted = [cell for cell, meant in self._cells.items() if meant == action]
        if self._picker.moves_pieces and action is not None:
            hinted = [end for end in move_ends(self.game, state, action) if end]
        here = None if self.review else self.cursor
        chosen = None if self.review else self._picker.chosen
        return grid, CellMarks(
            legal=view.legal if chosen is None else tuple(self._picker.targets(state)),
            last=self._last_cells(history, ply),
            won=tuple(sorted(winning_cells(self.game, grid))) if over else (),
            hint=hinted[-1] if hinted else None,
            cursor=here,
            chosen=chosen,
            check=grid.checked,
        )

    def _view(self, state: Any) -> View | None:
        """Read a position; the last few are kept, as it takes milliseconds in some games."""
        key = state.tobytes()
        if key not in self._views:
            grid = read_grid(self.game, state)
            if grid is None:
                return None
            actions = set(self.game.legal_actions(state).tolist() if self._cells else [])
            legal = (c for c, a in self._cells.items() if a in actions and grid.is_blank(c))
            self._views = {**dict([*self._views.items()][-3:]), key: View(grid, tuple(legal))}
        return self._views[key]

    def _last_cells(self, history: MoveHistory, ply: int) -> tuple[Cell, ...]:
        """Return the cells of the move that led to a ply."""
        if ply == 0:
            return ()
        if not self._picker.moves_pieces:
            before, after = (self._view(history.states[p]) for p in (ply - 1, ply))
            return tuple(changed_cells(before.grid, after.grid)) if before and after else ()
        ends = move_ends(self.game, history.states[ply - 1], history.moves[ply - 1])
        return tuple(end for end in ends if end)

    def _suggestion(self) -> int | None:
        """Return the move to mark as the best: a hint, or the analyst's choice."""
        if self.review is None:
            return self.session.hint
        snapshot = self.review.snapshots[self.review_ply]
        return snapshot.candidates[0].action if snapshot else None

    def _current_thought(self) -> tuple[str, Snapshot | None, int]:
        """Return the agent whose analysis is shown, the analysis, and its side."""
        if self.review is not None:
            state = self.review.history.states[self.review_ply]
            snapshot = self.review.snapshots[self.review_ply]
            return self.review.analyst.name, snapshot, int(self.game.rules.to_play(state))
        thought, found = self.session.thought, self.session.found
        if thought is not None and thought.snapshot is not None:
            side = int(self.game.rules.to_play(thought.states[0]))
            return thought.player.name, thought.snapshot, side
        if found is None:
            return self.session.analyst().name, None, self.session.side
        return found.name, found.snapshot, found.side

    def _status(self, width: int, height: int) -> Text:
        _, snapshot, side = self._current_thought()
        value = snapshot.value_to_play if snapshot else None
        if self.review is not None:
            value = self.review.value(self.review_ply)
        status = panels.status_text(self.session, self.review, self.review_ply)
        status.truncate(width, overflow="ellipsis")
        return status.append("\n").append_text(panels.bar_text(self.game, value, side, width))

    def _thought(self, width: int, height: int) -> Text:
        name, snapshot, _ = self._current_thought()
        return panels.thought_text(self.game, name, snapshot, self._thought_state(), width, height)

    def _thought_state(self) -> Any:
        """Return the position that the thought shown is about."""
        if self.review is not None:
            return self.review.history.states[self.review_ply]
        thought, found = self.session.thought, self.session.found
        if thought is not None and thought.snapshot is not None:
            return thought.states[0]
        return self.session.history.state if found is None else found.state

    def _moves(self, width: int, height: int) -> Text:
        history, ply = self._shown_history
        review, moves = self.review, [*history.moves]
        judged = [review.judge(i) for i in range(len(moves))] if review else []
        if review is None:
            moves += reversed(history.undone)
        words = self.game.words(history.states[0], moves)
        return panels.moves_text(words, ply, judged, width, height)

    def _message(self) -> str:
        if self.review is not None:
            return panels.judgement_text(self.review, self.review_ply) or self.session.message
        return self.session.message

    # --- keys and mouse ---

    def on_key(self, event: Key) -> None:
        """Play a digit as a move, or as the answer to which of several is meant."""
        if len(self.screen_stack) != 1:
            return
        if self._picker.choices and event.key.isdecimal():
            event.stop()
            action = self._picker.choose(int(event.key))
            if action is not None:
                self._play(action)
        elif event.key in self._digits:
            event.stop()
            self._play(self._digits[event.key])

    def on_board_view_clicked(self, event: BoardView.Clicked) -> None:
        """Play a click as a move."""
        self.cursor = None
        self._use(event.cell)

    def _use(self, cell: Cell) -> None:
        """Play at a cell, or choose the piece there, or where it goes."""
        if cell in self._cells:
            self._play(self._cells[cell])
        elif self._picker.moves_pieces:
            self._pick(cell)

    def _pick(self, cell: Cell) -> None:
        state: Any = self.session.history.state
        if self.review is not None or not self.session.awaits_human:
            self._picker.drop()
            self._play(-1)  # says why not
            return
        action = self._picker.click(state, cell)
        if action is not None:
            self._play(action)
            return
        self.session.message = self._picker.question(state) if self._picker.choices else ""
        self._show()

    def _play(self, action: int) -> None:
        if self.review is not None:
            self.session.message = "esc leaves the analysis"
        else:
            self.session.play(action)
        self._tick()

    def action_ask(self, what: str) -> None:
        """Pass on undo, redo and the other requests that the session handles."""
        if self.review is not None:
            if what != "new_game":
                self.session.message = "esc leaves the analysis"
                return
            self.action_escape()
        getattr(self.session, what)()
        self._tick()

    def action_strength(self, up: bool) -> None:
        """Change the number of simulations."""
        self.session.change_strength(up)
        self._tick()

    def action_walk(self, down: int, right: int) -> None:
        """Move the cursor, or walk through the game under analysis."""
        if self.review is not None:
            self.action_jump(max(0, self.review_ply + down + right))
            return
        grid = read_grid(self.game, self.session.history.state)
        if grid is not None:
            row, column = self.cursor or (grid.height // 2, grid.width // 2)
            if self.cursor is not None:
                row, column = (row + down) % grid.height, (column + right) % grid.width
            self.cursor = (row, column)
        self._show()

    def action_jump(self, ply: int) -> None:
        """Go to a ply of the game under analysis; -1 is its end."""
        if self.review is not None:
            last = len(self.review.history.moves)
            self.review_ply = last if ply < 0 else min(ply, last)
            self._show()

    def action_accept(self) -> None:
        """Play at the cursor, or the only legal move if it is no cell."""
        legal = self.session.legal()
        if len(legal) == 1 and legal[0] not in self._cells.values():
            self._play(legal[0])
        elif self.cursor is not None:
            self._use(self.cursor)

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(HelpScreen())

    def action_leave(self) -> None:
        """Leave; searching threads end after their slice, without being waited for."""
        self._leave(0)

    def _leave(self, status: int) -> None:
        self.session.cancel()
        if self.review is not None:
            self.review.cancel()
        self.exit(return_code=status)

    # --- analysis and the tree ---

    def action_analyse(self) -> None:
        """Enter or leave the review of the game and its mistakes."""
        if self.review is not None:
            self.action_escape()
            return
        if not self.session.history.moves:
            self.session.message = "there is no game to analyse yet"
            return
        self._was_paused, self.session.paused = self.session.paused, True
        self.review = self.session.review()
        self.review_ply = len(self.review.history.moves)
        self.review.start()
        self._show()

    def action_escape(self) -> None:
        """Close the prompt, or leave the analysis."""
        prompt = self.query_one("#prompt", Input)
        if prompt.display:
            self._close_prompt()
        elif self.review is not None:
            self.review.cancel()
            self.review = None
            self.session.paused = self._was_paused
            self.session.message = ""
        self.cursor = None
        self._picker.drop()
        self._show()

    def action_tree(self) -> None:
        """Open the tree of the last search, or search the position shown and open that."""
        history, ply = self._shown_history
        found = self.session.found
        if self.review is None and found is not None and found.forest is not None:
            self._open_tree(found)
        elif self.session.thought is not None:
            self.session.message = "wait until the thought is finished (space ends it)"
        elif self.game.rules.is_terminal(history.states[ply]):
            self.session.message = "the game is over here: there is nothing to search"
        else:
            self.session.ask_tree(history.moves[:ply])
        self._show()

    def _open_tree(self, found: FinishedThought) -> None:
        if found.forest is None:
            return
        first = self.session.history.states[0]
        words = self.game.move_separator.join(self.game.words(first, found.moves))
        where = words or "the first position"
        self.push_screen(TreeScreen(self.game, found.forest, f"{found.name}, after {where}"))

    # --- the prompt ---

    def action_prompt(self, kind: str) -> None:
        """Ask for a move, or for a file's name."""
        prompt = self.query_one("#prompt", Input)
        prompt.display = True
        prompt.value = "" if kind == "move" else f"{self.game.name}.txt"
        prompt.placeholder = PROMPTS[kind]
        self._asked = kind
        prompt.focus()
        self.session.message = PROMPTS[kind] + ("" if kind == "move" else "(esc gives up)")
        self._show()

    def _close_prompt(self) -> None:
        prompt = self.query_one("#prompt", Input)
        prompt.display = False
        self.set_focus(None)
        self.session.message = ""

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Play the move, or use the file, that was entered."""
        kind, word = self._asked, event.value.strip()
        self._close_prompt()
        try:
            if word:
                {"move": self._type_move, "save": self._save, "open": self._open}[kind](word)
        except (NotationError, GameFileError) as error:
            self.session.message = str(error)
        self._tick()

    def _type_move(self, word: str) -> None:
        history: Any = self.session.history
        self._play(self.game.parse_legal(history.state, word, len(history.moves) + 1))

    def _save(self, word: str) -> None:
        path = Path(word.removesuffix("!")).expanduser()
        record, replaces = self.session.record(), word.endswith("!")
        about = {"names": record.names, "points": record.points}
        write_game(path, self._shown_history[0], self.session.describe(), replaces, **about)
        self.session.message = f"saved to {path}"

    def _open(self, word: str) -> None:
        record = read_game(Path(word).expanduser(), self.game)
        if self.review is not None:
            self.action_escape()
        self.session.new_game(record.moves, record.start)
        if self.session.is_over:
            self.action_analyse()


def show(session: GameSession, notice: str = "", plain: bool = False) -> int:
    """Show the session until it is left; returns the exit status."""
    app = PlayApp(session, notice, plain)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        status = run_until_left(app)
    finally:
        sys.setswitchinterval(usual)
    session.cancel()
    session.keep_game()
    if not all_threads_end(LAST_WAIT_S):
        # Python cannot end a thread in compiled code in an orderly way: it would abort the program.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status
