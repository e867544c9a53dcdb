// A small GAN for points in the plane: networks, losses, penalties and Adam, with every derivative written by hand.
// It plays one batch as lit_gans does (docs/the-game.md): one fake for each real, the discriminator's turn, then the
// generator's with the same fakes. tests/docs/test_play.py compares it with PyTorch.
"use strict";

const LEAK = 0.2; // the slope of leaky ReLU for negative inputs, as in lit_gans.networks.mlp

/** Random numbers that a seed repeats: mulberry32, and normal ones by Box and Muller. */
class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  normals(count) {
    return Float64Array.from({ length: count }, () => this.normal());
  }
}

/** Fully connected layers with leaky ReLU between them; `squash` puts tanh on the last. Rows are samples. */
class Network {
  constructor(sizes, random, squash = false) {
    this.sizes = sizes;
    this.squash = squash;
    this.layers = [];
    for (let k = 0; k + 1 < sizes.length; k++) {
      const bound = 1 / Math.sqrt(sizes[k]); // PyTorch's default for a linear layer
      const draw = () => (2 * random.uniform() - 1) * bound;
      this.layers.push({
        weight: Float64Array.from({ length: sizes[k + 1] * sizes[k] }, draw), // (outputs, inputs)
        bias: Float64Array.from({ length: sizes[k + 1] }, draw),
      });
    }
    this.forget();
  }

  /** Sets all gradients to 0. */
  forget() {
    for (const layer of this.layers) {
      layer.weightGradient = new Float64Array(layer.weight.length);
      layer.biasGradient = new Float64Array(layer.bias.length);
    }
  }

  /** Outputs (n * last size), and in `inputs` what every layer was given, for `backward`. */
  forward(points) {
    const n = points.length / this.sizes[0];
    const inputs = [points];
    this.layers.forEach((layer, k) => {
      const values = linear(layer, inputs[k], n);
      const last = k === this.layers.length - 1;
      if (!last) for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] *= LEAK;
      if (last && this.squash) for (let i = 0; i < values.length; i++) values[i] = Math.tanh(values[i]);
      inputs.push(values);
    });
    return { n, inputs, outputs: inputs[this.layers.length] };
  }

  /**
   * The gradient with respect to the points. With `learn` the weights' gradients are added to what they have.
   * `slopes` are the gradients before each layer's activation, which a penalty needs.
   */
  backward(pass, gradient, learn = true) {
    let slope = Float64Array.from(gradient);
    if (this.squash) for (let i = 0; i < slope.length; i++) slope[i] *= 1 - pass.outputs[i] ** 2;
    const slopes = [];
    for (let k = this.layers.length - 1; k >= 0; k--) {
      slopes[k] = slope;
      if (learn) learnFrom(this.layers[k], slope, pass.inputs[k], pass.n, true);
      slope = transposed(this.layers[k], slope, pass.n);
      if (k) gate(slope, pass.inputs[k]);
    }
    return { points: slope, slopes };
  }
}

/** x W^T + b for rows x. */
function linear(layer, x, n) {
  const outputs = layer.bias.length, inputs = layer.weight.length / outputs;
  const values = new Float64Array(n * outputs);
  for (let i = 0; i < n; i++)
    for (let o = 0; o < outputs; o++) {
      let sum = layer.bias[o];
      for (let j = 0, w = o * inputs, a = i * inputs; j < inputs; j++) sum += layer.weight[w + j] * x[a + j];
      values[i * outputs + o] = sum;
    }
  return values;
}

/** slope W for rows of slopes: one layer back. */
function transposed(layer, slope, n) {
  const outputs = layer.bias.length, inputs = layer.weight.length / outputs;
  const values = new Float64Array(n * inputs);
  for (let i = 0; i < n; i++)
    for (let o = 0; o < outputs; o++) {
      const s = slope[i * outputs + o];
      if (s) for (let j = 0, w = o * inputs, a = i * inputs; j < inputs; j++) values[a + j] += s * layer.weight[w + j];
    }
  return values;
}

/** Adds the gradient of a layer's weights, and of its biases where the loss depends on them. */
function learnFrom(layer, slope, x, n, withBias) {
  const outputs = layer.bias.length, inputs = layer.weight.length / outputs;
  for (let i = 0; i < n; i++)
    for (let o = 0; o < outputs; o++) {
      const s = slope[i * outputs + o];
      if (!s) continue;
      if (withBias) layer.biasGradient[o] += s;
      for (let j = 0, w = o * inputs, a = i * inputs; j < inputs; j++) layer.weightGradient[w + j] += s * x[a + j];
    }
}

/** Leaky ReLU's derivative: an activation has the sign of what it was made of. */
function gate(slope, activation) {
  for (let i = 0; i < slope.length; i++) if (activation[i] < 0) slope[i] *= LEAK;
}

/**
 * The mean over points of `cost(|grad D|)`, whose weights' gradients are added to the network.
 *
 * Leaky ReLU is straight on either side, so its second derivative is 0, and the second backward pass is one pass
 * forward: with v = d cost / d grad D carried through the layers like a small change of the point, a layer's gradient is
 * (slope of its outputs) x (change of its inputs). Biases do not move a slope. `cost` gives [value, derivative / norm].
 */
function slopePenalty(network, points, cost) {
  const pass = network.forward(points);
  const { points: gradient, slopes } = network.backward(pass, new Float64Array(pass.n).fill(1), false);
  let total = 0;
  let change = new Float64Array(gradient.length);
  const inputs = network.sizes[0];
  for (let i = 0; i < pass.n; i++) {
    let square = 0;
    for (let j = 0; j < inputs; j++) square += gradient[i * inputs + j] ** 2;
    const [value, pull] = cost(Math.sqrt(square));
    total += value / pass.n;
    for (let j = 0; j < inputs; j++) change[i * inputs + j] = (pull * gradient[i * inputs + j]) / pass.n;
  }
  network.layers.forEach((layer, k) => {
    learnFrom(layer, slopes[k], change, pass.n, false);
    change = linear({ weight: layer.weight, bias: new Float64Array(layer.bias.length) }, change, pass.n);
    if (k < network.layers.length - 1) gate(change, pass.inputs[k + 1]);
  });
  return total;
}

/** Adam (Kingma & Ba 2014, arXiv:1412.6980). */
class Adam {
  constructor(network) {
    this.network = network;
    this.count = 0;
    this.moments = network.layers.map((layer) =>
      [layer.weight, layer.bias].map((p) => ({ mean: new Float64Array(p.length), square: new Float64Array(p.length) }))
    );
  }

  step(rate, beta1, beta2) {
    this.count++;
    const size = rate / (1 - beta1 ** this.count), correction = 1 - beta2 ** this.count;
    this.network.layers.forEach((layer, k) => {
      [[layer.weight, layer.weightGradient], [layer.bias, layer.biasGradient]].forEach(([values, gradient], which) => {
        const { mean, square } = this.moments[k][which];
        for (let i = 0; i < values.length; i++) {
          mean[i] = beta1 * mean[i] + (1 - beta1) * gradient[i];
          square[i] = beta2 * square[i] + (1 - beta2) * gradient[i] ** 2;
          values[i] -= (size * mean[i]) / (Math.sqrt(square[i] / correction) + 1e-8);
        }
      });
    });
  }
}

const softplus = (d) => Math.max(d, 0) + Math.log1p(Math.exp(-Math.abs(d)));
const sigmoid = (d) => (d >= 0 ? 1 / (1 + Math.exp(-d)) : Math.exp(d) / (1 + Math.exp(d)));
// the value of a term and its derivative
const beReal = (d) => [softplus(-d), -sigmoid(-d)];
const beFake = (d) => [softplus(d), sigmoid(d)];
const lower = (d) => [d, 1];
const raise = (d) => [-d, -1];

/** Of each game: what the discriminator wants of reals and of fakes, and what the generator wants of fakes. */
const LOSSES = {
  "non-saturating": { real: beReal, fake: beFake, generator: beReal },
  minimax: { real: beReal, fake: beFake, generator: (d) => beFake(d).map((value) => -value) },
  "least squares": {
    real: (d) => [0.5 * (d - 1) ** 2, d - 1],
    fake: (d) => [0.5 * d ** 2, d],
    generator: (d) => [0.5 * (d - 1) ** 2, d - 1],
  },
  hinge: {
    real: (d) => [Math.max(0, 1 - d), d < 1 ? -1 : 0],
    fake: (d) => [Math.max(0, 1 + d), d > -1 ? 1 : 0],
    generator: raise,
  },
  Wasserstein: { real: raise, fake: lower, generator: raise },
  relativistic: { pair: true },
};

/** The mean of a term over scores: [value, gradient of each score]. */
function meanOf(term, scores) {
  const gradient = new Float64Array(scores.length);
  let total = 0;
  scores.forEach((score, i) => {
    const [value, slope] = term(score);
    total += value / scores.length;
    gradient[i] = slope / scores.length;
  });
  return [total, gradient];
}

/** The discriminator's loss and its gradients at the scores of reals and fakes. */
function discriminatorLoss(name, real, fake) {
  const { pair, real: ofReal, fake: ofFake } = LOSSES[name];
  if (pair) {
    const [loss, atReal] = meanOf(beReal, real.map((d, i) => d - fake[i]));
    return { loss, atReal, atFake: atReal.map((value) => -value) };
  }
  const [first, atReal] = meanOf(ofReal, real);
  const [second, atFake] = meanOf(ofFake, fake);
  return { loss: first + second, atReal, atFake };
}

/** The generator's loss and its gradient at the scores of fakes. */
function generatorLoss(name, real, fake) {
  const { pair, generator } = LOSSES[name];
  const [loss, atFake] = meanOf(pair ? beReal : generator, pair ? fake.map((d, i) => d - real[i]) : fake);
  return { loss, atFake };
}

const squared = (norm) => [norm ** 2, 2]; // of the norm: value, and derivative by the norm, divided by it
const towardsOne = (norm) => [(norm - 1) ** 2, norm ? (2 * (norm - 1)) / norm : 0];

/** Where each penalty looks, what it costs, and what its weight is multiplied by. */
const PENALTIES = {
  none: null,
  R1: { points: (real) => [real], cost: squared, factor: 0.5 },
  "R1 and R2": { points: (real, fake) => [real, fake], cost: squared, factor: 0.5 },
  "slope 1": { points: (real, fake, random) => [between(real, fake, random)], cost: towardsOne, factor: 1 },
};

/** A point on the straight line between each real and its fake. */
function between(real, fake, random) {
  const mixed = new Float64Array(real.length);
  for (let i = 0; i < real.length; i += 2) {
    const share = random.uniform();
    for (const j of [i, i + 1]) mixed[j] = fake[j] + share * (real[j] - fake[j]);
  }
  return mixed;
}

/** A cost times a weight, value and gradient. */
const weighted = (cost, weight) => (norm) => cost(norm).map((value) => weight * value);

/** The two players and their optimizers. */
class Game {
  constructor({ seed = 0, latent = 2, hidden = [64, 64] } = {}) {
    this.random = new Random(seed);
    this.latent = latent;
    this.generator = new Network([latent, ...hidden, 2], this.random, true);
    this.discriminator = new Network([2, ...hidden, 1], this.random);
    this.optimizers = { generator: new Adam(this.generator), discriminator: new Adam(this.discriminator) };
    this.batches = 0;
  }

  /** One batch of the game; `noise` is drawn unless given. Returns both losses and the penalty. */
  step(real, settings, noise = this.random.normals((real.length / 2) * this.latent)) {
    const drawn = this.generator.forward(noise);
    const found = this.judge(real, drawn.outputs, settings);
    this.optimizers.discriminator.step(settings.discriminatorRate, settings.beta1, settings.beta2);
    const { loss, points } = this.pull(real, drawn.outputs, settings.loss);
    this.generator.forget();
    this.generator.backward(drawn, points);
    if (this.batches >= (settings.headStart || 0)) this.move(settings);
    this.batches++;
    return { ...found, generator: loss };
  }

  /** The generator's step: by Adam, or plain gradient descent, which small gradients do not move. */
  move({ generatorRate, beta1, beta2, plain }) {
    if (!plain) return this.optimizers.generator.step(generatorRate, beta1, beta2);
    for (const layer of this.generator.layers) {
      layer.weight.forEach((_, i) => (layer.weight[i] -= generatorRate * layer.weightGradient[i]));
      layer.bias.forEach((_, i) => (layer.bias[i] -= generatorRate * layer.biasGradient[i]));
    }
  }

  /** The discriminator's loss, its penalty, and their gradients in its weights. */
  judge(real, fake, { loss: name, penalty: kind, weight }) {
    const network = this.discriminator;
    const [reals, fakes] = [network.forward(real), network.forward(fake)];
    const { loss, atReal, atFake } = discriminatorLoss(name, reals.outputs, fakes.outputs);
    network.forget();
    network.backward(reals, atReal);
    network.backward(fakes, atFake);
    let penalty = 0;
    const chosen = PENALTIES[kind];
    for (const points of chosen && weight ? chosen.points(real, fake, this.random) : [])
      penalty += slopePenalty(network, points, weighted(chosen.cost, weight * chosen.factor));
    return { discriminator: loss, penalty };
  }

  /** The generator's loss and its gradient at the fakes, which is what moves them. */
  pull(real, fake, name) {
    const network = this.discriminator;
    const judged = network.forward(fake);
    const others = LOSSES[name].pair ? network.forward(real).outputs : [];
    const { loss, atFake } = generatorLoss(name, others, judged.outputs);
    return { loss, points: network.backward(judged, atFake, false).points };
  }
}

if (typeof module !== "undefined") module.exports = { Random, Network, Adam, Game, LOSSES, PENALTIES, slopePenalty };
