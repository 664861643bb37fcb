"""Fusion, Q-Former and facial branch give the numbers of the released modules; weights go through the import table."""

from __future__ import annotations

import torch

from nano_emox.adapters import FacialAdapter, QFormerAdapter
from nano_emox.encoders import FacialEncoder
from nano_emox.encoders.facial import FaceNetwork
from nano_emox.fusion import FusionEncoder


def test_fusion(released_fusion):
    c, tensors = released_fusion.config, released_fusion.tensors
    fusion = FusionEncoder(
        c["audio_dim"], c["visual_dim"], c["llm_dim"], tokens=c["num_multi_query_token"], hidden=c["hidden_dim"],
        heads=c["num_heads"],
    )  # fmt: skip
    released_fusion.load(fusion, "fusion.")

    out = fusion(
        tensors["in.audio_multi"].unflatten(-1, (3, c["audio_dim"])),
        tensors["in.visual_multi"].unflatten(-1, (3, c["visual_dim"])),
    )

    released_fusion.close(out.gates, "out.gate")
    for i in range(3):
        released_fusion.close(out.experts[:, i], f"out.scale{i}")
    released_fusion.close(torch.einsum("bl,blch->bch", out.gates, out.experts), "out.final")
    released_fusion.close(out.tokens, "out.token")


def test_qformer(released_qformer):
    c, branch = released_qformer.config, {"video": "visual", "audio": "speech"}[released_qformer.described["branch"]]
    adapter = QFormerAdapter(
        c["encoder_width"], c["llm_dim"], queries=c["num_query_tokens"], positions=c["max_frames"], hidden=c["hidden_size"],
        layers=c["num_hidden_layers"], heads=c["num_attention_heads"], intermediate=c["intermediate_size"],
    )  # fmt: skip
    released_qformer.load(adapter, f"{branch}_adapter.")
    seen = {}
    qformer = adapter.qformer
    inner = {"embedded_queries": qformer.layernorm, "hidden": qformer}
    inner |= {f"layer{i}": layer for i, layer in enumerate(qformer.encoder.layer)}
    for name, module in inner.items():
        module.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))

    projected = adapter(released_qformer.tensors["in.features"])

    for name, out in seen.items():
        if f"out.{name}" in released_qformer.tensors:
            hidden = out if isinstance(out, torch.Tensor) else out[0]
            released_qformer.close(hidden, f"out.{name}")
    released_qformer.close(projected, "out.projected")


def test_facial(released_facial):
    """From the stage maps where they are given, else from raw frames through Swin-B at full size."""
    c, tensors = released_facial.config, released_facial.tensors
    state = {k.split("facexformer.")[1]: v for k, v in released_facial.under("param.").items() if "facexformer" in k}
    through_swin = "in.frames_uint8" in tensors
    network = (FaceNetwork() if through_swin else FaceNetwork(depths=(1, 1, 1, 1))).eval()
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected
    assert all("relative_position_index" in key if through_swin else key.startswith("backbone") for key in missing)
    adapter = FacialAdapter(256, c["llm_dim"], queries=c["num_facial_query_token"])
    released_facial.load(adapter, "facial_adapter.")

    if through_swin:
        encoder = FacialEncoder(network, pixels="released")
        maps = encoder.tower.maps(encoder.preprocess(tensors["in.frames_uint8"]))
        for i, tapped in enumerate(maps):
            released_facial.close(tapped.mean((1, 2)), f"out.map{i}_mean")
            released_facial.close(tapped[:, ::7, ::7, ::16], f"out.map{i}_sample")
        frames = encoder(tensors["in.frames_uint8"][None])["last"]
    else:
        frames = network.fuse([tensors[f"in.map{i}"] for i in range(4)]).unflatten(0, (c["batch"], c["frames"]))

    released_facial.close(frames, "out.frame_features")
    released_facial.close(adapter.attend(frames), "out.attended")
    released_facial.close(adapter(frames), "out.projected")


def test_face_network_has_the_published_names(released_facexformer_keys):
    with torch.device("meta"):
        own = {name: list(value.shape) for name, value in FaceNetwork().state_dict().items()}
    assert own == {key["name"]: key["shape"] for key in released_facexformer_keys.described["keys"]}
