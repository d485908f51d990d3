"""Graphs of ComfyUI that are put together at random, each with what made its picture, which is known beforehand."""

from __future__ import annotations

from random import Random
from typing import Any

from .comfyui_graphs import node

Link = list[Any]
_SAMPLERS = ("euler", "dpmpp_2m", "uni_pc", "lcm")
_SCHEDULERS = ("normal", "karras", "simple", "beta")
#: Switches that a number chooses for: class, selector, the names of two inputs, and the number of the first.
_BY_NUMBER = (
    ("ImpactSwitch", "select", ("input1", "input2"), 1),
    ("CR Model Input Switch", "Input", ("model1", "model2"), 1),
    ("easy anythingIndexSwitch", "index", ("value0", "value1"), 0),
    ("CR Conditioning Input Switch", "Input", ("conditioning1", "conditioning2"), 1),
)
#: Switches that a boolean chooses for: class, selector, the names of the inputs for true and false.
_BY_BOOLEAN = (
    ("ComfySwitchNode", "switch", "on_true", "on_false"),
    ("LazySwitchKJ", "switch", "on_true", "on_false"),
    ("ImpactConditionalBranch", "cond", "tt_value", "ff_value"),
    ("easy ifElse", "boolean", "on_true", "on_false"),
    ("Model Input Switch", "boolean", "model_a", "model_b"),
)
_TEXTS = ("a red fox", "snow, night", "an old boat on a lake", "8k", "portrait of a queen", "fog: (dense:1.2)")
_BAD = ("blurry", "low quality", "text, watermark", "extra fingers")


class RandomGraph:
    """One graph: its entries by id in no particular order, and the columns that must be read of it."""

    def __init__(self, number: int) -> None:
        self._random = Random(number)
        self._nodes: dict[str, dict[str, object]] = {}
        self.expected: dict[str, str] = {}
        self._build()

    @property
    def entries(self) -> dict[str, object]:
        keys = list(self._nodes)
        self._random.shuffle(keys)
        return {key: self._nodes[key] for key in keys}

    def _add(self, kind: str, **inputs: object) -> Link:
        """A node; its id may be that of a node in a subgraph. The answer is a link to its first output."""
        count = len(self._nodes) + 1
        key = f"{self._random.randint(1, 90)}:{count}" if self._random.random() < 0.3 else str(count)
        self._nodes[key] = node(kind, **inputs)
        return [key, 0]

    def _maybe(self, chance: float = 0.5) -> bool:
        return self._random.random() < chance

    def _behind(self, link: Link, decoy: Link) -> Link:
        """The link behind up to three nodes that hand it on, or choose it before the decoy."""
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 3))):
            link = self._crossed(link, decoy)
        return link

    def _crossed(self, link: Link, decoy: Link) -> Link:
        kind = self._random.randrange(4)
        if kind == 0:
            return self._add("Reroute", **{"": link})
        if kind == 1:
            name, selector, inputs, first = self._random.choice(_BY_NUMBER)
            place = self._random.randrange(2)
            pair = (link, decoy) if place == 0 else (decoy, link)
            chosen = self._number(first + place)
            return self._add(name, **{selector: chosen}, **dict(zip(inputs, pair, strict=True)))
        if kind == 2:
            name, selector, on_true, on_false = self._random.choice(_BY_BOOLEAN)
            is_true = self._maybe()
            choice = self._add("PrimitiveBoolean", value=is_true) if self._maybe(0.3) else is_true
            return self._add(
                name, **{selector: choice, on_true: link if is_true else decoy, on_false: decoy if is_true else link}
            )
        muted = {f"any_{place:02}": ["muted", 0] for place in range(1, self._random.randint(1, 3))}
        return self._add("Any Switch (rgthree)", **muted, any_08=link, any_09=decoy)

    def _number(self, value: float) -> object:
        """The number as it is, or a link to a node that holds it."""
        if self._maybe(0.6):
            return value
        whole = isinstance(value, int)
        holders = [("CR Anything Once", {"amount": value}), ("Constant", {"value": value}), ("Any", {"number": value})]
        holders += [
            ("mxSlider", {"Xi": value if whole else 3, "Xf": 0.25 if whole else value, "isfloatX": int(not whole)})
        ]
        holders += [("PrimitiveInt" if whole else "PrimitiveFloat", {"value": value})]
        kind, inputs = self._random.choice(holders)
        return self._behind(self._add(kind, **inputs), self._add("PrimitiveInt", value=77))

    def _text(self, text: str) -> object:
        """The text as it is, or a link to nodes that hold or join it."""
        kind = self._random.randrange(5)
        if kind < 2:
            return text
        if kind == 2:
            head, _, tail = text.partition(" ")
            if not tail:
                return text
            join, a, b = self._random.choice(
                (("StringConcatenate", "string_a", "string_b"), ("Text Concatenate", "text_a", "text_b"))
            )
            return self._add(join, **{a: head, b: self._text(tail)}, delimiter=" ")
        holder = self._random.choice((("PrimitiveString", "value"), ("Text Multiline", "text"), ("CR Text", "text")))
        return self._behind(self._add(holder[0], **{holder[1]: text}), self._add("PrimitiveString", value="decoy"))

    def _model(self) -> tuple[Link, Link]:
        """The model and its text encoder, behind LoRAs."""
        name = self._random.choice(("alpha", "beta_v2", "gamma.xl"))
        self.expected["model"] = name
        loader = self._add("CheckpointLoaderSimple", ckpt_name=f"sd/{name}.safetensors")
        decoy = self._add("CheckpointLoaderSimple", ckpt_name="decoy.safetensors")
        model, loras = self._behind(loader, decoy), []
        for place in range(self._random.choice((0, 0, 1, 2))):
            model, found = self._with_loras(model, f"lora{place}")
            loras += found
            model = self._behind(model, decoy)
        if loras:
            self.expected["loras"] = ", ".join(loras)
        if self._maybe(0.3):
            model = self._add("ModelSamplingDiscrete", sampling="v_prediction", zsnr=False, model=model)
        return model, [loader[0], 1]

    def _with_loras(self, model: Link, name: str) -> tuple[Link, list[str]]:
        strength = self._random.choice((0.5, 0.8, 1))
        file, kind = f"dir\\{name}.safetensors", self._random.randrange(5)
        named = [f"{name}:{strength}"]
        if kind == 0:
            return self._add(
                "LoraLoaderModelOnly", model=model, lora_name=file, strength_model=self._number(strength)
            ), named
        if kind == 1:
            return self._add(
                "LoraLoader", model=model, clip=model, lora_name=file, strength_model=strength, strength_clip=0.1
            ), named
        if kind == 2:
            on = {"on": True, "lora": file, "strength": strength}
            off = {"on": False, "lora": "off.safetensors", "strength": 1}
            return self._add("Power Lora Loader (rgthree)", model=model, lora_1=off, lora_2=on), named
        if kind == 3:
            both = {"model_weight_1": strength, "clip_weight_1": 0.1, "model_weight_2": 1, "clip_weight_2": 1}
            stack = self._add(
                "CR LoRA Stack", switch_1="On", lora_name_1=file, switch_2="Off", lora_name_2="off", **both
            )
            return self._add("CR Apply LoRA Stack", model=model, clip=model, lora_stack=stack), named
        listed = [{"name": name, "strength": strength, "active": True}, {"name": "off", "strength": 1, "active": False}]
        return self._add("Lora Loader (LoraManager)", model=model, text="", loras={"__value__": listed}), named

    def _conditioning(self, text: str, clip: Link, *, more: str = "") -> Link:
        decoy = self._add("CLIPTextEncode", text="decoy", clip=clip)
        link = self._behind(self._add("CLIPTextEncode", text=self._text(text), clip=clip), decoy)
        if more:
            other = self._add("CLIPTextEncode", text=more, clip=clip)
            link = self._add("ConditioningCombine", conditioning_1=link, conditioning_2=other)
        return self._behind(link, decoy)

    def _build(self) -> None:
        model, clip = self._model()
        positive, against = self._prompts(clip)
        width, height = self._random.choice(((512, 768), (1024, 1024), (832, 1216)))
        empty = self._add("EmptyLatentImage", width=self._number(width), height=height, batch_size=1)
        latent = self._behind(empty, self._add("EmptyLatentImage", width=64, height=64, batch_size=1))
        if self._maybe(0.3):
            first = self._ksampler(model, positive, against, latent, seed=1, steps=4, cfg=1.5, denoise=1)
            latent = self._add("LatentUpscaleBy", samples=first, upscale_method="bislerp", scale_by=1.5)
        else:
            self.expected |= {"width": str(width), "height": str(height)}
        sampled = self._last_sampler(model, positive, against, latent)
        decoded = self._add("VAEDecode", samples=self._behind(sampled, latent), vae=[clip[0], 2])
        self._add("SaveImage", images=self._behind(decoded, decoded), filename_prefix="ComfyUI")
        if self._maybe():
            self._decoys(clip)

    def _prompts(self, clip: Link) -> tuple[Link, Link]:
        """The conditioning for and against."""
        prompt, negative = self._random.choice(_TEXTS), self._random.choice(_BAD)
        more = self._random.choice(("", "", "a second line"))
        positive = self._conditioning(prompt, clip, more=more)
        self.expected["prompt"] = f"{prompt}\n{more}".strip()
        if self._maybe(0.3):
            guidance = self._random.choice((2.5, 3.5))
            positive = self._add("FluxGuidance", conditioning=positive, guidance=self._number(guidance))
            self.expected["guidance"] = str(guidance)
        if self._maybe(0.2):
            against = self._add("ConditioningZeroOut", conditioning=positive)
        else:
            against = self._conditioning(negative, clip)
            self.expected["negative"] = negative
        if self._maybe(0.3):
            image = self._add("LoadImage", image="pose.png")
            net = self._add("ControlNetLoader", control_net_name="cn.safetensors")
            both = {"positive": positive, "negative": against}
            positive = self._add("ControlNetApplyAdvanced", **both, control_net=net, image=image)
            against = [positive[0], 1]
        return positive, against

    def _ksampler(self, model: Link, positive: Link, negative: Link, latent: Link, **values: object) -> Link:
        inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent, **values}
        return self._add("KSampler", **({"sampler_name": "ddim", "scheduler": "ddim_uniform"} | inputs))

    def _last_sampler(self, model: Link, positive: Link, negative: Link, latent: Link) -> Link:
        seed = self._random.choice((0, 42, 2**53 + 1, 2**64 - 1))
        steps, cfg = self._random.choice((8, 20, 31)), self._random.choice((1.5, 4.5, 7.25))
        sampler, scheduler = self._random.choice(_SAMPLERS), self._random.choice(_SCHEDULERS)
        denoise = self._random.choice((1, 0.55))
        self.expected |= {
            "seed": str(seed), "steps": str(steps), "cfg": str(cfg), "sampler": sampler, "scheduler": scheduler,
        }  # fmt: skip
        kind = self._random.randrange(4)
        named = {"sampler_name": sampler, "scheduler": scheduler}
        if kind == 3:
            return self._custom_sampler(model, positive, negative, latent, denoise)
        if kind == 0:
            inputs = {"noise_seed": self._number(seed), "add_noise": "enable", "start_at_step": 0, "end_at_step": 10000}
            inputs |= {"model": model, "positive": positive, "negative": negative, "latent_image": latent}
            return self._add("KSamplerAdvanced", steps=self._number(steps), cfg=cfg, **inputs, **named)
        self.expected["denoise"] = str(denoise)
        if kind == 1:
            values = {"seed": self._number(seed), "steps": self._number(steps), "cfg": self._number(cfg), **named}
            return self._ksampler(model, positive, negative, latent, denoise=denoise, **values)
        context = self._add(
            "Context Big (rgthree)", model=model, positive=positive, negative=negative, latent=latent,
            seed=self._number(seed), steps=self._number(steps), cfg=cfg, sampler=sampler, scheduler=scheduler,
        )  # fmt: skip
        if self._maybe():
            context = self._add("Context (rgthree)", base_ctx=context, vae=["muted", 0])
        ctx = context[0]
        values = {
            "seed": [ctx, 8],
            "steps": [ctx, 9],
            "cfg": [ctx, 11],
            "sampler_name": [ctx, 13],
            "scheduler": [ctx, 14],
        }
        return self._ksampler([ctx, 1], [ctx, 4], [ctx, 5], [ctx, 6], denoise=denoise, **values)

    def _custom_sampler(self, model: Link, positive: Link, negative: Link, latent: Link, denoise: float) -> Link:
        wanted = self.expected
        wanted["denoise"] = str(denoise)
        seed, steps, cfg = int(wanted["seed"]), int(wanted["steps"]), float(wanted["cfg"])
        select = self._add("KSamplerSelect", sampler_name=wanted["sampler"])
        sigmas = self._add(
            "BasicScheduler", model=model, scheduler=wanted["scheduler"], steps=self._number(steps), denoise=denoise
        )
        sampler, plan = self._behind(select, ["muted", 0]), self._behind(sigmas, ["muted", 0])
        if self._maybe():
            inputs: dict[str, object] = {"model": model, "positive": positive, "negative": negative}
            inputs |= {
                "latent_image": latent,
                "add_noise": True,
                "noise_seed": self._number(seed),
                "cfg": self._number(cfg),
            }
            return self._add("SamplerCustom", **inputs, sampler=sampler, sigmas=plan)
        guider = self._add("CFGGuider", model=model, positive=positive, negative=negative, cfg=self._number(cfg))
        noise = self._add("RandomNoise", noise_seed=self._number(seed))
        return self._add(
            "SamplerCustomAdvanced", noise=self._behind(noise, ["muted", 0]), guider=guider, sampler=sampler,
            sigmas=plan, latent_image=latent,
        )  # fmt: skip

    def _decoys(self, clip: Link) -> None:
        """A sampler whose picture is only shown, not saved."""
        text = self._add("CLIPTextEncode", text="never saved", clip=clip)
        empty = self._add("EmptyLatentImage", width=64, height=64, batch_size=1)
        sampled = self._ksampler([clip[0], 0], text, text, empty, seed=666, steps=1, cfg=1, denoise=1)
        self._add("PreviewImage", images=self._add("VAEDecode", samples=sampled, vae=[clip[0], 2]))
