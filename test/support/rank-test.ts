/** What the Mann-Whitney U test says of two samples. */
export interface RankTest {
  /** How often a value of the first sample is above one of the second; equal ones count half. */
  readonly u: number;
  /** How probable a `u` at least this far from the middle is where both samples come from one distribution. */
  readonly p: number;
}

/**
 * The two-sided Mann-Whitney U test, by the normal approximation, corrected for ties and for continuity. It asks only
 * which values are larger, so no outlier of a busy machine weighs more than another value. For samples of 8 or more.
 */
export function rankTest(first: readonly number[], second: readonly number[]): RankTest {
  const values = [...first.map((value) => ({ value, isFirst: true }))].concat(
    second.map((value) => ({ value, isFirst: false })),
  );
  values.sort((a, b) => a.value - b.value);
  let rankSum = 0;
  let tieTerm = 0;
  for (let start = 0; start < values.length; ) {
    let end = start;
    while (end < values.length && values[end]?.value === values[start]?.value) end++;
    const tied = end - start;
    // Equal values share the middle of the ranks start + 1 … end.
    const rank = (start + 1 + end) / 2;
    rankSum += rank * values.slice(start, end).filter(({ isFirst }) => isFirst).length;
    tieTerm += tied ** 3 - tied;
    start = end;
  }
  const [n, m] = [first.length, second.length];
  const total = n + m;
  const u = rankSum - (n * (n + 1)) / 2;
  const variance = ((n * m) / 12) * (total + 1 - tieTerm / (total * (total - 1)));
  if (variance === 0) return { u, p: 1 };
  const z = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5) / Math.sqrt(variance);
  return { u, p: Math.min(1, complementaryError(z / Math.SQRT2)) };
}

const chebyshev = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
  -0.82215223, 0.17087277,
];

/** erfc for x ≥ 0, to a relative error of 1.2e-7 also far out in the tail (Numerical Recipes, 6.2). */
function complementaryError(x: number): number {
  const t = 1 / (1 + x / 2);
  return t * Math.exp(-x * x + chebyshev.reduceRight((sum, coefficient) => sum * t + coefficient, 0));
}
