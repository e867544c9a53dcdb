// What is seen of the game, and its controls. The game itself is in game.js.
"use strict";

const RATES = [-5, -1]; // powers of ten
const CONTROLS = [
  { name: "data", label: "Real points", choices: ["ring of eight", "one Gaussian", "spiral", "drawn by you"] },
  { name: "loss", label: "Loss", choices: Object.keys(LOSSES) },
  { name: "penalty", label: "Penalty on D's slope", choices: Object.keys(PENALTIES) },
  { name: "weight", label: "its weight", range: [-3, 2], power: true },
  { name: "discriminatorRate", label: "D's learning rate", range: RATES, power: true },
  { name: "generatorRate", label: "G's learning rate", range: RATES, power: true },
  { name: "beta1", label: "Momentum (beta1)", range: [0, 0.95], step: 0.05 },
  { name: "plain", label: "G's steps", choices: ["Adam", "plain gradient"] },
  { name: "stepsAFrame", label: "Batches a frame", range: [1, 40], step: 1 },
  { name: "seed", label: "Seed", range: [0, 20], step: 1 },
];
const START = {
  data: "ring of eight", loss: "non-saturating", penalty: "none", weight: 0.1, discriminatorRate: 1e-3, generatorRate: 1e-3,
  beta1: 0.5, beta2: 0.99, plain: "Adam", stepsAFrame: 4, seed: 1, headStart: 0,
};
const CURE = {
  loss: "relativistic", penalty: "R1 and R2", weight: 0.1, discriminatorRate: 2e-3, generatorRate: 2e-3, beta1: 0,
  plain: "Adam", headStart: 0,
};
// what a preset changes, whether the players are new, and what is seen
const PRESETS = {
  collapse: {
    set: { ...START, generatorRate: 1e-2 }, anew: true,
    seen: "The generator is ten times the faster player: all fakes run to where D is fooled just now, D follows, and the small cloud wanders from place to place.",
  },
  "cure it": {
    set: CURE,
    seen: "The same players go on, with reals and fakes compared in pairs, D's slope penalised at both, and no momentum: the cloud spreads, and within a few hundred batches all places are found.",
  },
  circle: {
    set: { ...START, data: "one Gaussian", loss: "Wasserstein" }, anew: true,
    seen: "Nothing bounds this critic: the fakes' mean (its trail is drawn) turns round the reals and does not arrive; press \"cure it\", or choose R1, and it comes to rest.",
  },
  "win too early": {
    set: { ...START, loss: "minimax", discriminatorRate: 3e-3, generatorRate: 1e-3, plain: "plain gradient", headStart: 300 },
    anew: true,
    seen: "D learns alone for 300 batches and is sure of every fake, so the saturating loss has no gradient left: no arrows, no motion; choose the non-saturating loss, and the same players move.",
  },
};
const SIGMA = 0.02;
const AT_REST = { "least squares": 0.25, hinge: 2, Wasserstein: 0, relativistic: Math.LN2 }; // D's loss if it knows nothing
const MODES = Array.from({ length: 8 }, (_, k) => [0.8 * Math.cos((k * Math.PI) / 4), 0.8 * Math.sin((k * Math.PI) / 4)]);
const LOOKED_AT = 200; // fakes that are drawn

/** `n` real points of a kind, in [-1, 1]. */
function realPoints(kind, n, random, drawn) {
  const points = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    let place = [0, 0], sigma = SIGMA;
    if (kind === "ring of eight") place = MODES[Math.floor(8 * random.uniform())];
    if (kind === "one Gaussian") sigma = 0.05;
    if (kind === "spiral") {
      const turn = 0.6 + 8 * random.uniform();
      place = [0.1 * turn * Math.cos(turn), 0.1 * turn * Math.sin(turn)];
    }
    if (kind === "drawn by you" && drawn.length) place = drawn[Math.floor(drawn.length * random.uniform())];
    points[2 * i] = place[0] + sigma * random.normal();
    points[2 * i + 1] = place[1] + sigma * random.normal();
  }
  return points;
}

/** The mean of rows of points, and their mean distance from it. */
function spread(points) {
  const n = points.length / 2, mean = [0, 0];
  for (let i = 0; i < points.length; i++) mean[i % 2] += points[i] / n;
  let distance = 0;
  for (let i = 0; i < n; i++) distance += Math.hypot(points[2 * i] - mean[0], points[2 * i + 1] - mean[1]) / n;
  return { mean, distance };
}

/** How many of the eight have at least one in a hundred of the fakes nearby. */
function modesFound(points) {
  const n = points.length / 2;
  return MODES.filter(([x, y]) => {
    let near = 0;
    for (let i = 0; i < n; i++) near += Math.hypot(points[2 * i] - x, points[2 * i + 1] - y) < 6 * SIGMA;
    return near >= n / 100;
  }).length;
}

/** The chance that D puts a real above a fake. */
function auroc(real, fake) {
  let above = 0;
  for (const a of real) for (const b of fake) above += a > b ? 1 : a === b ? 0.5 : 0;
  return above / (real.length * fake.length);
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

class Page {
  constructor(root) {
    this.settings = { ...START };
    this.drawn = [];
    this.cursor = [0, 0];
    this.running = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.build(root);
    this.reset();
    requestAnimationFrame(() => this.frame());
  }

  build(root) {
    root.replaceChildren();
    this.plane = element("canvas", { width: 560, height: 560, tabindex: 0, role: "img",
      "aria-label": "The plane: real points, fakes with arrows along which their gradient moves them, and the discriminator's field" });
    this.curves = element("canvas", { width: 560, height: 110, role: "img", "aria-label": "The losses of the last 600 batches" });
    this.said = element("p", { class: "play-said", "aria-live": "polite" });
    this.values = element("dl", { class: "play-values" });
    const key = element("p", { class: "play-key" });
    key.innerHTML = '<span class="play-real">●</span> real <span class="play-fake">●</span> fake, with the arrow along which ' +
      'its gradient moves it; ground: what D takes for <span class="play-real">real</span> and <span class="play-fake">fake</span>';
    const seen = element("div", { class: "play-seen" }, this.plane, key, this.curves);
    root.append(element("div", { class: "play-buttons" }, ...this.buttons()), this.said,
      element("div", { class: "play-both" }, seen, element("div", { class: "play-side" }, this.controls(), this.values)));
    this.listen();
  }

  buttons() {
    const made = Object.keys(PRESETS).map((name) => this.button(name, () => this.preset(name)));
    this.pause = this.button("", () => this.run(!this.running), "pause");
    const step = this.button("step", () => (this.run(false), this.advance(1), this.show()));
    const clear = this.button("clear the drawing", () => ((this.drawn = []), this.show()));
    this.run(this.running);
    return [this.pause, step, this.button("reset", () => this.reset()), ...made, clear];
  }

  button(text, act, name = text) {
    const made = element("button", { type: "button", "data-name": name }, text);
    made.addEventListener("click", act);
    return made;
  }

  run(running) {
    this.running = running;
    this.pause.textContent = running ? "pause" : "go on";
  }

  controls() {
    this.inputs = {};
    return element("div", { class: "play-controls" }, ...CONTROLS.map((control) => {
      const input = control.choices
        ? element("select", {}, ...control.choices.map((choice) => element("option", {}, choice)))
        : element("input", { type: "range", min: control.range[0], max: control.range[1], step: control.step || 0.1 });
      input.name = control.name;
      const shown = element("output");
      this.inputs[control.name] = { control, input, shown };
      input.addEventListener("input", () => this.change(control, input));
      return element("label", {}, element("span", {}, control.label, " ", shown), input);
    }));
  }

  change({ name, choices, power }, input) {
    this.settings[name] = choices ? input.value : power ? 10 ** Number(input.value) : Number(input.value);
    this.say("");
    this.fill();
    if (name === "seed") this.reset();
  }

  /** Puts the settings into the controls. */
  fill() {
    for (const { control: { name, choices, power }, input, shown } of Object.values(this.inputs)) {
      const value = this.settings[name];
      input.value = power ? Math.log10(value) : value;
      if (!choices) shown.textContent = power ? value.toPrecision(2).replace(/\.0$/, "") : value;
    }
    this.plane.classList.toggle("play-draw", this.settings.data === "drawn by you");
  }

  preset(name) {
    const { set, anew, seen } = PRESETS[name];
    const { seed, stepsAFrame, data } = this.settings;
    this.settings = { ...this.settings, ...set, seed, stepsAFrame };
    if (!anew) this.settings.data = data;
    this.fill();
    if (anew) this.reset();
    this.say(seen);
    this.run(true);
  }

  say(text) {
    if (this.said.textContent !== text) this.said.textContent = text;
  }

  reset() {
    this.game = new Game({ seed: this.settings.seed, hidden: [32, 32] });
    this.points = new Random(this.settings.seed + 1000);
    this.noise = new Random(7).normals(LOOKED_AT * this.game.latent);
    this.history = [];
    this.trail = [];
    this.fill();
    this.show();
  }

  /** So many batches; stops at a loss that is no number. */
  advance(batches) {
    if (this.settings.data === "drawn by you" && !this.drawn.length)
      return this.say("Draw the real points: with a finger or the mouse in the square, or with the arrow keys and Enter.");
    const settings = { ...this.settings, plain: this.settings.plain !== "Adam" };
    for (let i = 0; i < batches; i++) {
      const real = realPoints(settings.data, 64, this.points, this.drawn);
      const found = this.game.step(real, settings);
      this.history.push(found);
      if (this.history.length > 600) this.history.shift();
      this.trail.push(spread(this.game.generator.forward(this.noise.subarray(0, 2 * 40)).outputs).mean);
      if (this.trail.length > 150) this.trail.shift();
      if (!Number.isFinite(found.discriminator + found.generator + found.penalty)) {
        this.run(false);
        return this.say("A loss is no longer a number: lower the learning rates or bound the critic by a penalty, then press reset.");
      }
    }
  }

  frame() {
    if (this.running) {
      this.advance(this.settings.stepsAFrame);
      this.show();
    }
    requestAnimationFrame(() => this.frame());
  }

  /** Draws everything, and writes the numbers. */
  show() {
    const { game, settings } = this;
    const real = realPoints(settings.data, LOOKED_AT, new Random(3), this.drawn);
    const fake = game.generator.forward(this.noise).outputs;
    const { points } = game.pull(real, fake, settings.loss);
    const scores = [real, fake].map((given) => game.discriminator.forward(given).outputs);
    new Picture(this, real, fake, points, scores).draw();
    drawCurves(this.curves, this.history, AT_REST[settings.loss] ?? 2 * Math.LN2);
    this.write(real, fake, points, scores);
  }

  write(real, fake, pull, scores) {
    const last = this.history[this.history.length - 1] || { discriminator: NaN, generator: NaN, penalty: NaN };
    let force = 0;
    for (let i = 0; i < pull.length; i += 2) force += Math.hypot(pull[i], pull[i + 1]);
    const rows = {
      batches: this.game.batches, "D's loss": last.discriminator.toFixed(3), "G's loss": last.generator.toFixed(3),
      penalty: last.penalty.toFixed(3), "gradient at a fake": force.toPrecision(2),
      "fakes' spread, of the reals'": (spread(fake).distance / spread(real).distance).toFixed(2),
      "D puts a real above a fake": `${(100 * auroc(...scores)).toFixed(0)}%`,
    };
    if (this.settings.data === "ring of eight") rows["modes found"] = `${modesFound(fake)} of 8`;
    this.values.replaceChildren(...Object.entries(rows).flatMap(([name, value]) =>
      [element("dt", {}, name), element("dd", { "data-name": name }, String(value))]));
  }

  /** Drawing by pointer and by keys. */
  listen() {
    const place = (event) => {
      const box = this.plane.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * 2.4 - 1.2, 1.2 - ((event.clientY - box.top) / box.height) * 2.4];
    };
    const put = (point) => {
      if (this.settings.data !== "drawn by you") return;
      this.drawn.push(point.map((value) => Math.max(-0.95, Math.min(0.95, value))));
      this.say("");
      this.show();
    };
    this.plane.addEventListener("pointerdown", (event) => put(place(event)));
    this.plane.addEventListener("pointermove", (event) => event.buttons && put(place(event)));
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    this.plane.addEventListener("keydown", (event) => {
      if (this.settings.data !== "drawn by you" || !(event.key in moves || event.key === "Enter")) return;
      event.preventDefault();
      if (event.key === "Enter") return put(this.cursor);
      this.cursor = this.cursor.map((value, i) => Math.max(-0.95, Math.min(0.95, value + 0.05 * moves[event.key][i])));
      this.show();
    });
  }
}

/** One picture of the plane, [-1.2, 1.2] squared. */
class Picture {
  constructor(page, real, fake, pull, scores) {
    Object.assign(this, { page, real, fake, pull, scores, canvas: page.plane, brush: page.plane.getContext("2d") });
    const style = getComputedStyle(this.canvas);
    this.colour = (name) => style.getPropertyValue(`--play-${name}`).trim();
    this.side = this.canvas.width;
  }

  at(points, i) {
    return [((points[2 * i] + 1.2) / 2.4) * this.side, ((1.2 - points[2 * i + 1]) / 2.4) * this.side];
  }

  draw() {
    this.field();
    this.dots(this.real, this.colour("real"), 2);
    this.arrows();
    this.dots(this.fake, this.colour("fake"), 2.5);
    this.trail();
    if (document.activeElement === this.canvas && this.page.settings.data === "drawn by you")
      this.ring(this.at(this.page.cursor, 0), this.colour("ink"));
  }

  /** D's scores, on a scale that has the scores of reals and fakes on its two sides. */
  field() {
    const cells = 40, size = this.side / cells, grid = new Float64Array(2 * cells * cells);
    for (let i = 0; i < cells * cells; i++) {
      grid[2 * i] = (((i % cells) + 0.5) / cells) * 2.4 - 1.2;
      grid[2 * i + 1] = 1.2 - ((Math.floor(i / cells) + 0.5) / cells) * 2.4;
    }
    const found = this.page.game.discriminator.forward(grid).outputs;
    const all = [...this.scores[0], ...this.scores[1]];
    const middle = all.reduce((a, b) => a + b, 0) / all.length;
    const scale = Math.sqrt(all.reduce((a, b) => a + (b - middle) ** 2, 0) / all.length) + 1e-3;
    this.brush.clearRect(0, 0, this.side, this.side);
    found.forEach((score, i) => {
      const side = Math.tanh((score - middle) / scale);
      this.brush.globalAlpha = 0.45 * Math.abs(side);
      this.brush.fillStyle = this.colour(side > 0 ? "real" : "fake");
      this.brush.fillRect((i % cells) * size, Math.floor(i / cells) * size, size, size);
    });
    this.brush.globalAlpha = 1;
  }

  dots(points, colour, radius) {
    this.brush.fillStyle = colour;
    for (let i = 0; i < points.length / 2; i++) {
      this.brush.beginPath();
      this.brush.arc(...this.at(points, i), radius, 0, 2 * Math.PI);
      this.brush.fill();
    }
  }

  /** Against the gradient of the generator's loss; the length is its logarithm, so that small ones can be seen. */
  arrows() {
    const n = this.fake.length / 2;
    this.brush.strokeStyle = this.colour("ink");
    this.brush.globalAlpha = 0.6;
    for (let i = 0; i < n; i += 3) {
      const [dx, dy] = [-this.pull[2 * i] * n, this.pull[2 * i + 1] * n]; // of one fake: the loss is a mean
      const norm = Math.hypot(dx, dy), length = 16 * Math.log1p(10 * norm);
      if (length < 1) continue;
      const [x, y] = this.at(this.fake, i), [ux, uy] = [dx / norm, dy / norm];
      const [tipX, tipY] = [x + ux * length, y + uy * length];
      this.brush.beginPath();
      this.brush.moveTo(x, y);
      this.brush.lineTo(tipX, tipY);
      this.brush.lineTo(tipX - 4 * ux + 3 * uy, tipY - 4 * uy - 3 * ux);
      this.brush.moveTo(tipX, tipY);
      this.brush.lineTo(tipX - 4 * ux - 3 * uy, tipY - 4 * uy + 3 * ux);
      this.brush.stroke();
    }
    this.brush.globalAlpha = 1;
  }

  /** Where the mean of the fakes was in the last 150 batches. */
  trail() {
    const { trail } = this.page;
    this.brush.strokeStyle = this.colour("ink");
    for (let i = 1; i < trail.length; i++) {
      this.brush.globalAlpha = (0.7 * i) / trail.length; // what is old fades
      this.brush.beginPath();
      this.brush.moveTo(...this.at(trail[i - 1], 0));
      this.brush.lineTo(...this.at(trail[i], 0));
      this.brush.stroke();
    }
    this.brush.globalAlpha = 1;
    if (trail.length) this.ring(this.at(trail[trail.length - 1], 0), this.colour("ink"));
  }

  ring(centre, colour) {
    this.brush.strokeStyle = colour;
    this.brush.beginPath();
    this.brush.arc(...centre, 6, 0, 2 * Math.PI);
    this.brush.stroke();
  }
}

/** Both losses of the last batches, and what D's is when it knows nothing. */
function drawCurves(canvas, history, rest) {
  const brush = canvas.getContext("2d"), { width, height } = canvas;
  const style = getComputedStyle(canvas), colour = (name) => style.getPropertyValue(`--play-${name}`).trim();
  brush.clearRect(0, 0, width, height);
  const values = history.flatMap(({ discriminator, generator }) => [discriminator, generator]).filter(Number.isFinite);
  const [low, high] = [Math.min(0, rest, ...values), Math.max(rest, 0.1, ...values)];
  const y = (value) => height - 8 - ((value - low) / (high - low)) * (height - 24);
  const line = (name, heights) => {
    brush.strokeStyle = colour(name);
    brush.beginPath();
    heights.forEach((value, i) => brush.lineTo((i / 600) * width, y(value)));
    brush.stroke();
  };
  brush.setLineDash([4, 4]);
  line("ink", [rest, ...Array(600).fill(rest)]);
  brush.setLineDash([]);
  line("real", history.map((found) => found.discriminator));
  line("fake", history.map((found) => found.generator));
  brush.font = "13px sans-serif";
  for (const [text, name, x] of [["D's loss", "real", 4], ["G's loss", "fake", 66], [`dashed: ${rest.toFixed(2)}, D's when it knows nothing`, "ink", 128]]) {
    brush.fillStyle = colour(name);
    brush.fillText(text, x, 12);
  }
}

window.addEventListener("DOMContentLoaded", () => {
  for (const root of document.querySelectorAll(".play")) new Page(root);
});
