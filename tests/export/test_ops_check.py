"""Which ops and functions of a SavedModel the check refuses."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from small_saved_models import (
    save_compiled,
    save_function,
    save_growing_table,
    save_slice_update,
    write_expected,
)

from kftune.export.checks import served_ops
from kftune.export.checks.ops import check
from kftune.export.checks.version_files import read_meta_graph


def test_ops_of_tensorflow_pass(scorer):
    outcome = check(scorer)
    assert outcome.status == "ok"
    assert "0 of them of TF Text" in outcome.text and "no XLA" in outcome.text


def test_old_ops_of_tf_text_pass(version):
    def answer(text):
        words = tf_text.WhitespaceTokenizer().tokenize(tf_text.normalize_utf8(text))
        return {"words": words.row_lengths()}

    outcome = check(save_function(version, answer))
    assert outcome.status == "ok"
    assert "2 of them of TF Text" in outcome.text


def test_an_op_of_tf_text_that_servers_do_not_link(version):
    def answer(text):
        rows = tf.RaggedTensor.from_row_splits(text, [0, 1, tf.size(text)])
        (trimmed,) = tf_text.RoundRobinTrimmer(1).trim([rows])
        return {"text": trimmed.flat_values}

    outcome = check(save_function(version, answer))
    assert outcome.status == "FAILED"
    assert "TFText>RoundRobinTrim is not in TF Text 2.12.1" in outcome.text


def test_every_listed_op_of_tf_text_is_one():
    from tensorflow.python.framework import op_def_registry

    assert tf_text.__version__  # loads the ops
    unknown = [op for op in served_ops.TEXT_OPS if op_def_registry.get(op) is None]
    assert not unknown


@pytest.mark.parametrize(
    ("save", "problem"),
    [
        (save_slice_update, "XlaDynamicUpdateSlice in __inference"),
        (save_compiled, "PartitionedCall in __inference"),
    ],
)
def test_xla_is_refused_unless_it_was_exported_for_it(version, save, problem):
    save(version)
    outcome = check(version)
    assert outcome.status == "FAILED"
    assert problem in outcome.text and "--xla_cpu_compilation_enabled" in outcome.text
    write_expected(version, [], xla=True)
    outcome = check(version)
    assert outcome.status == "ok"
    assert "start the server with --xla_cpu_compilation_enabled" in outcome.text


def test_a_table_that_grows(version):
    outcome = check(save_growing_table(version))
    assert outcome.status == "FAILED"
    assert "MutableHashTableV2" in outcome.text and "StaticHashTable" in outcome.text


def test_a_call_of_python(version):
    def answer(text):
        length = tf.numpy_function(np.size, [text], tf.int64)
        return {"score": tf.fill([tf.size(text)], length)}

    assert "calls Python" in check(save_function(version, answer)).text


@pytest.mark.parametrize(
    ("op", "attribute", "problem"),
    [
        ("MyOwnOp", None, "MyOwnOp is an op of neither"),
        ("DecodeJxl", None, "DecodeJxl is newer than TensorFlow 2.20"),
        ("TensorListGetItem", "Tshape", "Tshape of TensorListGetItem is newer"),
    ],
)
def test_ops_and_attributes_that_the_server_does_not_have(
    scorer, monkeypatch, op, attribute, problem
):
    graph = read_meta_graph(scorer)
    node = graph.graph_def.library.function[0].node_def.add(name="x", op=op)
    if attribute:
        node.attr[attribute].type = tf.int32.as_datatype_enum
    monkeypatch.setattr("kftune.export.checks.ops.read_meta_graph", lambda _: graph)
    assert problem in check(scorer).text
