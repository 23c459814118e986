"""Format the text beside the map: who plays, the score, the heroes, and a person's own hero."""

from __future__ import annotations

from rich.text import Text

from arena.play.lanes.painting import TEAM
from arena.play.lanes.person import SKILL_KEYS, unit_name
from arena.play.lanes.scene import ROLE_LETTERS, HeroFacts, Scene
from arena.play.lanes.session import LanesSession
from arena.play.pictures.panels import bar
from envs.lanes import rules as r
from envs.lanes.engine.orders import at_base

TEAM_STYLE = tuple(f"rgb({red},{green},{blue})" for red, green, blue in TEAM)
SIDE_NAMES = ("left", "right")
ITEM_NAMES = tuple(item[:2].title() for item in r.ITEMS)  # Bo Bl Ve To
BAR = 8  # characters of a bar of health
PLACE_BAR = 24


def clock(seconds: float) -> str:
    """Format a time as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def title_text(session: LanesSession) -> Text:
    """Format two lines: the game and its players, and the view, the time and the pace."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{session.match.game}  ", "bold")
    left, right = session.names
    text.append(left, f"bold {TEAM_STYLE[0]}").append(" against ", "dim")
    text.append(f"{right}", f"bold {TEAM_STYLE[1]}")
    text.append(f"  seed {session.match.seed}\n", "dim")
    text.append({"full": "full view"}.get(session.view, f"view of the {session.view} team"))
    if session.paused:
        text.append("  paused", "bold yellow")
    elif session.by_turns and session.person is not None:
        text.append("  by turns", "bold yellow")
    elif session.speed != 1.0:
        text.append(f"  speed {session.speed:g}", "yellow")
    timeline = session.timeline
    if timeline.known and (session.players is None or timeline.known - timeline.at > 1):
        text.append(f"  {_place(session)}", "cyan")
    return text


def _place(session: LanesSession) -> str:
    """Show where the timeline is."""
    at, known = session.timeline.at, session.timeline.known
    return f"{bar(at / known, PLACE_BAR).replace(' ', '·')} {at}/{known}"


def score_text(session: LanesSession) -> Text:
    """Format the time, the kills, the towers and the cores."""
    scene = session.scene()
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{clock(scene.seconds)}", "bold")
    text.append(f" of {clock(r.LIMIT * r.TICK_S)}   ", "dim")
    text.append(result_text(scene), "bold yellow")
    for team in range(2):
        text.append(f"\n{SIDE_NAMES[team]:5} ", TEAM_STYLE[team])
        text.append(f"{scene.kills[team]:2}", "bold").append(" kills  ", "dim")
        text.append(f"{scene.towers[team]}", "bold").append(" towers  ", "dim")
        text.append("core ", "dim").append(f"{100 * scene.core[team]:.0f}%", "bold")
    return text


def result_text(scene: Scene) -> str:
    """Name the result of a match that is over, else ""."""
    if scene.winner == r.RUNNING:
        return ""
    return "a draw" if scene.winner == r.DRAW else f"{SIDE_NAMES[scene.winner]} wins"


def heroes_text(session: LanesSession, height: int) -> Text:
    """List the heroes of both teams: two lines each where there is room, else one."""
    scene = session.scene()
    is_tall = height >= 2 * len(scene.heroes) + 1
    text = Text(no_wrap=True, overflow="ellipsis")
    you = -1 if session.person is None else session.person.player
    for place, hero in enumerate(scene.heroes):
        if place and hero.team != scene.heroes[place - 1].team and is_tall:
            text.append("\n")
        _append_hero(text, hero, is_you=place == you, is_tall=is_tall)
    return text


def _append_hero(text: Text, hero: HeroFacts, *, is_you: bool, is_tall: bool) -> None:
    style = TEAM_STYLE[hero.team]
    text.append(ROLE_LETTERS[hero.role], f"bold reverse {style}" if is_you else f"bold {style}")
    level = "?" if hero.level is None else str(hero.level)
    text.append(f"{level:>3} ", "bold")
    if not hero.is_alive:
        wait = "" if hero.wait_s is None else f", back in {hero.wait_s:.0f} s"
        text.append(f"dead{wait}", "dim")
    elif hero.hp is None or hero.max_hp is None:
        text.append("not seen yet", "dim")
    else:
        share = hero.hp / max(1, hero.max_hp)
        colour = "green" if share > 0.6 else "yellow" if share > 0.3 else "red"
        text.append(bar(share, BAR), f"dim {colour}" if hero.seen_s else colour)
        text.append(f"{hero.hp:5}")
        if hero.seen_s:
            text.append(f"  {hero.seen_s:.0f} s ago", "dim")
        if hero.is_stunned:
            text.append("  stunned", "magenta")
    if hero.mana is not None:
        text.append(f" {hero.mana:3}m", "blue").append(f" {hero.gold:4}g", "yellow")
        text.append(f"  {_cooldowns(hero)}", "dim")
        if is_tall:
            text.append("\n     ")
            text.append(f"{hero.kills}/{hero.deaths}, {hero.last_hits} last hits", "dim")
            text.append(f"  {_items(hero)}", "cyan")
            if hero.recall:
                text.append(f"  recall {100 * hero.recall:.0f}%", "magenta")
    elif is_tall:
        text.append("\n")
    text.append("\n")


def _cooldowns(hero: HeroFacts) -> str:
    """Show the seconds until each skill is ready."""
    return " ".join(f"{left:.0f}" if left else "·" for left in hero.cooldowns or ())


def _items(hero: HeroFacts) -> str:
    return " ".join(n for i, n in enumerate(ITEM_NAMES) if (hero.items or 0) >> i & 1)


def own_text(session: LanesSession) -> Text:
    """Format a person's own hero: skills, order, and the list of items while it is open."""
    person, match = session.person, session.match
    text = Text(no_wrap=True, overflow="ellipsis")
    if person is None:
        return text
    hero, unit = match.heroes[person.player], match.units[person.player]
    role = int(hero["role"])
    text.append(f"you: {r.ROLES[role]}", "bold green")
    text.append(f"  {hero['mana']} mana  {hero['gold']} gold")
    if person.is_buying:
        for item, name in enumerate(r.ITEMS):
            has = hero["items"] >> item & 1
            told = "yours" if has else f"{r.ITEM_COST[item]} gold"
            can = not has and hero["gold"] >= r.ITEM_COST[item]
            text.append(f"\n{item + 1} {name:6} {told}", "bold" if can else "dim")
        where = "" if not unit["alive"] or at_base(unit) else "  (in your base only)"
        text.append(f"\nb closes{where}", "yellow")
        return text
    for skill in range(2):
        name = r.SKILL_NAMES[r.SKILL_KIND[role, skill]]
        reason = person.why_not(skill, match)
        mana = f"{r.SKILL_MANA[role, skill]} mana"
        text.append(f"\n{SKILL_KEYS[skill]} {name:7}", "dim" if reason else "bold")
        text.append(f" {mana}, {reason}" if reason else f" {mana}, ready", "dim")
    text.append(f"\norder: {_order(session)}", "cyan")
    if person.chosen >= 0:
        text.append(f"\ntarget: {unit_name(match, person.chosen, person.team)}", "cyan")
    return text


def _order(session: LanesSession) -> str:
    person = session.person
    assert person is not None
    order = person.standing
    if order.kind == "attack":
        return f"attack {unit_name(session.match, order.unit, person.team)}"
    if order.kind == "walk":
        return f"walk {'→↗↑↖←↙↓↘'[order.direction]}"
    return order.kind


def message_text(session: LanesSession) -> Text:
    """Format what the session tells."""
    waits = "your order" if session.waits_for_order and not session.paused else ""
    return Text(session.message or waits, no_wrap=True, overflow="ellipsis")


def keys_text(session: LanesSession) -> Text:
    """List the keys."""
    return Text(_keys(session), no_wrap=True, overflow="ellipsis")


def _keys(session: LanesSession) -> str:
    if session.person is not None:
        return (
            "arrows walk  space stop  a attack  tab target  s d skills  r recall  b buy\n"
            "p pause  . decision  t by turns  +- speed  n new  w save  ? keys  q leave"
        )
    new = "n new match" if session.players is not None else "n from the start"
    return (
        "p pause  . , a decision  ← → 8 s  page up/down 1 min  home end  +- speed\n"
        f"v view  {new}  w save  ? keys  q leave"
    )
