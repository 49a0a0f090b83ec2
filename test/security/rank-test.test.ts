import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRandom, seed } from '../support/fault-random.ts';
import { rankTest } from '../support/rank-test.ts';

function assertNear(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) <= 1e-6 * expected, `${actual} is not ${expected}`);
}

describe('the rank test', () => {
  test('gives what other implementations and a calculation by hand give', () => {
    // The example in SciPy's documentation of mannwhitneyu, with method="asymptotic".
    const males = [19, 22, 16, 29, 24];
    const females = [20, 11, 17, 12];
    const example = rankTest(males, females);
    assert.equal(example.u, 17);
    assertNear(example.p, 0.11134688653314041);
    assert.deepEqual(rankTest(females, males), { u: 3, p: example.p });

    // The example in R's documentation of wilcox.test: W = 35; z = (35 - 25 - 0.5) / √(10 · 5 · 16 / 12).
    const term = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    const early = [1.15, 0.88, 0.9, 0.74, 1.21];
    const weeks = rankTest(term, early);
    assert.equal(weeks.u, 35);
    assertNear(weeks.p, 0.24462360512698333);

    // Ranks 1, 3, 3 and 3, 5, 6: u = 7 - 6; variance = 9 / 12 · (7 - 24 / 30); z = 3 / √4.65.
    const ties = rankTest([1, 2, 2], [2, 3, 4]);
    assert.equal(ties.u, 1);
    assertNear(ties.p, 0.16415972847851523);
  });

  test('sees no difference between equal samples', () => {
    const same = [3, 3, 3, 3, 3, 3, 3, 3];
    assert.deepEqual(rankTest(same, same), { u: 32, p: 1 });
    const rising = Array.from({ length: 50 }, (_, i) => i);
    assert.deepEqual(rankTest(rising, rising), { u: 1250, p: 1 });
  });

  test('is as sure as the samples are apart', () => {
    const low = Array.from({ length: 100 }, (_, i) => i);
    const p = (shift: number) =>
      rankTest(
        low,
        low.map((value) => value + shift),
      ).p;
    assert.ok(p(10) > 0.01);
    assert.ok(p(30) < 1e-4);
    assert.ok(p(200) < 1e-30);
  });

  test('errs about as often as its p says, and no outlier deceives it', () => {
    const random = createRandom('rank test');
    const draw = () => random.below(1_000_000) * (random.chance(0.02) ? 1000 : 1);
    const sample = () => Array.from({ length: 60 }, draw);
    const ps = Array.from({ length: 2000 }, () => rankTest(sample(), sample()).p);
    const below = (limit: number) => ps.filter((p) => p < limit).length;
    // 100 and 1000 expected; the bounds are more than seven standard deviations away.
    assert.ok(below(0.05) > 25 && below(0.05) < 180, `seed ${seed}: ${below(0.05)}`);
    assert.ok(below(0.5) > 830 && below(0.5) < 1170, `seed ${seed}: ${below(0.5)}`);
  });
});
