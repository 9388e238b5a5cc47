"""What cells print and show, as the executed notebook keeps it."""

from jupyter_flows.kernel.outputs import CellRecorder, RecordedStream, as_text


def shown(recorder: CellRecorder) -> list[dict[str, object]]:
    return [output for cell in recorder.put_back(recorder.state()) for output in cell.outputs]


def test_neighbouring_text_of_one_stream_is_one_output() -> None:
    recorder = CellRecorder()
    recorder.begin_cell(0, 1)
    out, err = RecordedStream(recorder, "stdout"), RecordedStream(recorder, "stderr")
    print("a", 1, file=out)
    print("b", file=out)
    print("c", file=err)
    assert [(output["name"], output["text"]) for output in shown(recorder)] == [
        ("stdout", "a 1\nb\n"),
        ("stderr", "c\n"),
    ]


def test_a_progress_bar_keeps_its_last_state() -> None:
    recorder = CellRecorder()
    recorder.begin_cell(0, 1)
    for percent in (0, 50, 100):
        recorder.stream("stdout", f"\r{percent} %")
    recorder.stream("stdout", "\nready\n")
    assert [output["text"] for output in shown(recorder)] == ["100 %\nready\n"]


def test_a_display_that_is_updated_changes_in_its_place() -> None:
    recorder = CellRecorder()
    recorder.begin_cell(0, 1)
    recorder.show({"output_type": "display_data", "data": {"text/plain": "old"}, "metadata": {}}, "d")
    recorder.begin_cell(1, 2)
    recorder.take_changed()
    recorder.update("d", {"text/plain": "new"}, {})
    (changed,) = recorder.take_changed()
    assert (changed.cell, changed.outputs[0]["data"]) == (0, {"text/plain": "new"})


def test_clear_output_waits_for_the_next_one_if_told_so() -> None:
    recorder = CellRecorder()
    recorder.begin_cell(0, 1)
    recorder.stream("stdout", "old")
    recorder.clear(wait=True)
    assert [output["text"] for output in shown(recorder)] == ["old"]
    recorder.stream("stdout", "new")
    assert [output["text"] for output in shown(recorder)] == ["new"]


def test_a_restored_recorder_forgets_what_came_later() -> None:
    recorder = CellRecorder()
    recorder.begin_cell(0, 1)
    recorder.stream("stdout", "kept")
    state = recorder.state()
    recorder.stream("stdout", " later")
    recorder.begin_cell(1, 2)
    assert [cell.outputs[0]["text"] for cell in recorder.put_back(state)] == ["kept"]


def test_only_what_changed_is_sent() -> None:
    recorder = CellRecorder()
    recorder.begin_cell(0, 1)
    assert [cell.cell for cell in recorder.take_changed()] == [0]
    assert recorder.take_changed() == ()
    recorder.stream("stdout", "x")
    taken = recorder.take_changed()
    assert len(taken) == 1
    recorder.mark_changed(taken)
    assert recorder.take_changed() == taken


def test_bytes_become_base64() -> None:
    assert as_text({"image/png": b"\x89PNG", "text/plain": "x"}) == {
        "image/png": "iVBORw==",
        "text/plain": "x",
    }
