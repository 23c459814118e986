"""Each call of a recorded function executes it once, in the place of its first results."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from agents.device import graphs
from agents.device.graphs import WARM_UP, CudaRecorder, GraphedCall, recorder_of
from agents.dqn.learning.learner import DQNLearner
from agents.dqn.playing.policy import QPolicy
from agents.torch_state import dump_trainer, load_trainer
from store.memory.frames import TRUNCATED
from store.replay.window import ReplayWindow
from tests.agents.dqn.learning.test_learner import FAMILY, SPEC, chains

CPU = torch.device("cpu")
has_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class StandIn:
    """Launches by calling again, into the results of the first launch: what a graph does."""

    def __init__(self):
        self.log = []

    def run(self, call):
        self.log.append("run")
        return call()

    def capture(self, call):
        self.log.append("capture")
        results = []

        def launch():
            self.log.append("launch")
            found = call()
            if not results:
                results.extend(each.clone() for each in found)
            for own, new in zip(results, found):
                own.copy_(new)
            return tuple(results)

        return launch


def test_warm_up_capture_and_launch_execute_once_each():
    recorder, total = StandIn(), torch.zeros(3)

    def added(x):
        total.add_(x)
        return (total * 2,)

    call = GraphedCall(added, CPU, recorder)
    seen = []
    for number in range(1, 7):
        (result,) = call(torch.full((3,), float(number)))
        assert result[0] == number * (number + 1)
        seen.append(result)
    assert recorder.log == ["run"] * WARM_UP + ["capture"] + ["launch"] * 3
    assert seen[-1] is seen[-2]  # in one place from the capture on
    call.forget()
    call(torch.ones(3))
    assert recorder.log[-1] == "run"


def test_other_shapes_and_types_are_computed_as_they_are():
    recorder = StandIn()
    call = GraphedCall(lambda x: (x + 1,), CPU, recorder)
    for _ in range(5):
        call(torch.zeros(3))
    log = list(recorder.log)
    assert call(torch.zeros(4))[0].shape == (4,)
    assert call(torch.zeros(3, dtype=torch.int64))[0].dtype == torch.int64
    assert recorder.log == log


def test_there_are_no_graphs_on_a_processor():
    assert recorder_of(CPU, asked=True) is None


@pytest.mark.parametrize("name", ["one step", "priorities", "soft target", "lambda"])
def test_a_recorded_training_is_the_training(name, monkeypatch):
    plain = trained(FAMILY[name])
    recorders = []

    def standing_in(device, generator=None, *, asked):
        recorders.append(StandIn())
        return recorders[-1]

    monkeypatch.setattr("agents.dqn.learning.learner.recorder_of", standing_in)
    recorded = trained(FAMILY[name])
    assert recorders[0].log.count("launch") == 12 - WARM_UP
    assert recorded.weights() == plain.weights()


def trained(config, **changes):
    learner = DQNLearner(SPEC, replace(config, **changes))
    for first in range(3):
        learner.add([chains(4, 60, TRUNCATED, first=4 * first)])
        learner.train(4, first / 3)
    return learner


def on_card(name, *, cuda_graphs):
    config = FAMILY[name]
    learner = replace(config.learner, cuda_graphs=cuda_graphs)
    settings = replace(config.replay, on_device=True)
    return replace(config, device="cuda", learner=learner, replay=settings)


@has_card
@pytest.mark.parametrize("optimiser", ["adam", "radam", "rmsprop_centred"])
@pytest.mark.parametrize("name", ["one step", "priorities", "soft target", "lambda", "c51"])
def test_a_captured_training_is_close_to_one_without(name, optimiser):
    states = []
    for cuda_graphs in (False, True):
        config = on_card(name, cuda_graphs=cuda_graphs)
        config = replace(config, learner=replace(config.learner, optimiser=optimiser))
        states.append(trained(config).network.state_dict())
    for key, tensor in states[0].items():
        torch.testing.assert_close(states[1][key], tensor, rtol=1e-3, atol=1e-4)


@has_card
def test_a_captured_learner_resumes_and_moves_between_devices():
    config = on_card("priorities", cuda_graphs=True)
    learner = trained(config)
    window = [chains(4, 60, TRUNCATED, first=4 * first) for first in range(3)]
    state = load_trainer(dump_trainer(learner.state()))
    state.pop("generator")  # a card's cannot be a processor's
    for device in ("cuda", "cpu"):
        other = DQNLearner(SPEC, replace(config, device=device))
        other.load_state(
            {**state, "generator": other.generator.get_state()}, ReplayWindow.of(window, "frame")
        )
        assert other.train(WARM_UP + 3, 0.5)["loss"] >= 0.0


@has_card
def test_a_captured_policy_follows_its_weights():
    config = on_card("one step", cuda_graphs=True)
    policy, plain = QPolicy(config, SPEC, explores=True), QPolicy(config, SPEC, explores=False)
    learner = DQNLearner(SPEC, config)
    learner.add([chains(4, 60, TRUNCATED)])
    stacks = torch.eye(2)[:, None].numpy()
    for step in range(WARM_UP + 3):
        learner.train(2, 0.0)
        for each in (policy, plain):
            each.load_weights(learner.weights(), step)
        torch.testing.assert_close(policy(stacks)[0], plain(stacks)[0], rtol=1e-4, atol=1e-5)
    assert isinstance(policy._means._recorder, CudaRecorder)
    assert not graphs._capturing.locked()
