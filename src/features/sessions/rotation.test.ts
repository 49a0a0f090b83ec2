import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decideRotation, type Rotation } from './rotation.ts';
import type { SessionRow } from './store.ts';

const start = Date.parse('2026-01-01T12:00:00Z');
const graceSeconds = 10;
const graceMs = graceSeconds * 1000;
const at = (ms: number) => new Date(start + ms);
const iso = (ms: number) => at(ms).toISOString();

/** A session at generation 3, issued and given at 0, ended never. Times in milliseconds. */
function session(
  state: { given?: number; used?: number | null; ended?: number; expires?: number } = {},
): SessionRow {
  const { given = 0, used = null, ended, expires = 86_400_000 } = state;
  return {
    id: 'sid',
    user_id: 1,
    generation: 3,
    generation_issued_at: iso(0),
    generation_given_at: iso(given),
    generation_used_at: used === null ? null : iso(used),
    created_at: iso(-1_000_000),
    last_seen_at: iso(0),
    expires_at: iso(expires),
    ended_at: ended === undefined ? null : iso(ended),
    end_reason: ended === undefined ? null : 'logged_out',
    end_network: null,
    network: '192.0.2.1',
    user_agent: '',
  };
}

describe('what becomes of a session', () => {
  const scenarios: [
    what: string,
    row: SessionRow,
    shown: number,
    now: number,
    grace: number,
    becomes: Rotation,
  ][] = [
    ['the current token, issued just now', session(), 3, 0, 10, 'keep'],
    ['the current token, a millisecond before the grace', session(), 3, 9_999, 10, 'keep'],
    ['the current token, exactly a grace after its issue', session(), 3, 10_000, 10, 'rotate'],
    ['the current token, given to its parent since', session({ given: 7_000 }), 3, 16_999, 10, 'keep'],
    ['the current token, exactly a grace after that', session({ given: 7_000 }), 3, 17_000, 10, 'rotate'],
    ['the parent of a token that nobody used', session(), 2, 80_000_000, 10, 'give'],
    ['the parent, a millisecond before the grace after use', session({ used: 5_000 }), 2, 14_999, 10, 'give'],
    ['the parent, exactly a grace after use', session({ used: 5_000 }), 2, 15_000, 10, 'reuse'],
    ['the grandparent, at once', session(), 1, 0, 10, 'reuse'],
    ['a generation that is still to come', session(), 4, 20_000, 10, 'refuse'],
    ['the current token of a session that ended', session({ ended: 1 }), 3, 20_000, 10, 'refuse'],
    ['the parent in a session that ended', session({ ended: 1 }), 2, 20_000, 10, 'refuse'],
    ['a millisecond before the absolute end', session({ expires: 20_000 }), 3, 19_999, 10, 'rotate'],
    ['exactly at the absolute end', session({ expires: 20_000 }), 3, 20_000, 10, 'refuse'],
    ['strict: the current token, at once', session(), 3, 0, 0, 'rotate'],
    ['strict: the parent, at once, of a token that nobody used', session(), 2, 0, 0, 'reuse'],
    ['strict: the grandparent', session(), 1, 0, 0, 'reuse'],
  ];
  for (const [what, row, shown, now, grace, becomes] of scenarios) {
    test(`${what}: ${becomes}`, () => assert.equal(decideRotation(row, shown, at(now), grace), becomes));
  }
});

/** The session as `refresh` and `authenticate` keep it, on a clock that stands still between steps. */
class Model {
  row = session({ expires: Number.MAX_SAFE_INTEGER / 1000 });
  now = 0;
  /** When each generation was first presented. */
  readonly usedAt = new Map<number, number>();
  readonly #graceSeconds: number;

  constructor(grace = graceSeconds) {
    this.#graceSeconds = grace;
    this.row.generation = 1;
  }

  /** The generation that is answered, or what else became of it. */
  refresh(shown: number): number | 'reuse' | 'refuse' {
    const time = iso(this.now);
    const outcome = decideRotation(this.row, shown, at(this.now), this.#graceSeconds);
    if (outcome === 'refuse') return outcome;
    if (outcome === 'reuse') {
      this.row = { ...this.row, ended_at: time, end_reason: 'refresh_token_reused' };
      return outcome;
    }
    if (shown === this.row.generation) this.use(shown);
    if (outcome === 'give') this.row = { ...this.row, generation_given_at: time };
    if (outcome === 'rotate') {
      const generation = this.row.generation + 1;
      const times = { generation_issued_at: time, generation_given_at: time, generation_used_at: null };
      this.row = { ...this.row, ...times, generation };
    }
    return this.row.generation;
  }

  use(generation: number): void {
    if (generation !== this.row.generation) return;
    if (!this.usedAt.has(generation)) this.usedAt.set(generation, this.now);
    this.row = { ...this.row, generation_used_at: this.row.generation_used_at ?? iso(this.now) };
  }
}

/** The client's limit for replies, and the longest that a request may be under way beside it. */
const replyLimitMs = 5_000;
const longestRequestMs = graceMs - replyLimitMs - 1;

interface Step {
  tab: number;
  waitMs: number;
  requestMs: number;
  replyMs: number;
  isReplyLost: boolean;
  usesAccessToken: boolean;
}

/** Few different times, so that much coincides and boundaries are met exactly. */
const someMs = fc.constantFrom(0, 1, 100, 2_400, 4_900, 5_000, 5_001, 9_999, graceMs, 20_000);

const steps = fc.array(
  fc.record<Step>({
    tab: fc.nat(7),
    waitMs: someMs,
    requestMs: fc.oneof(fc.nat(longestRequestMs), fc.constantFrom(0, 100, 2_500, longestRequestMs)),
    replyMs: someMs,
    isReplyLost: fc.boolean(),
    usesAccessToken: fc.boolean(),
  }),
  { minLength: 5, maxLength: 80, size: 'max' },
);

interface Happening {
  at: number;
  happen: () => void;
}

/** Runs tabs that share one store and no lock; `onEnd` when the session does. */
function runTabs(model: Model, plan: readonly Step[], onEnd: (shown: number) => void): void {
  let stored = 1;
  const happenings: Happening[] = [];
  const busy = new Set<number>();
  const later = (ms: number, happen: () => void) => happenings.push({ at: model.now + ms, happen });
  let begin = 0;
  for (const step of plan) {
    begin += step.waitMs;
    happenings.push({ at: begin, happen: () => ask(step) });
  }
  function ask(step: Step): void {
    if (busy.has(step.tab)) return;
    busy.add(step.tab);
    const shown = stored;
    const sentAt = model.now;
    later(step.requestMs, () => {
      const given = model.refresh(shown);
      if (typeof given !== 'number') return onEnd(shown);
      later(step.replyMs, () => {
        busy.delete(step.tab);
        const isTimely = !step.isReplyLost && model.now - sentAt <= replyLimitMs;
        if (isTimely && stored === shown) stored = given;
        if (step.usesAccessToken) model.use(stored);
      });
    });
  }
  while (happenings.length > 0) {
    happenings.sort((one, other) => one.at - other.at);
    const next = happenings.shift();
    if (next === undefined) return;
    model.now = next.at;
    next.happen();
  }
}

describe('the rule', () => {
  test('never ends the session of tabs that share a store, whatever is lost or late', () => {
    fc.assert(
      fc.property(steps, (plan) => {
        const model = new Model();
        runTabs(model, plan, (shown) =>
          assert.fail(`generation ${shown} of ${model.row.generation} was refused`),
        );
        assert.equal(model.row.ended_at, null);
      }),
      { numRuns: 2000 },
    );
  });

  test('ends it at every replay of a token whose successor came into use the grace ago', () => {
    fc.assert(
      fc.property(steps, fc.nat(), fc.nat(1_000_000), (plan, choice, waitMs) => {
        const model = new Model();
        runTabs(model, plan, () => assert.fail('an honest tab was refused'));
        model.now += waitMs;
        const spent = [...model.usedAt].filter(([gen, usedAt]) => gen > 1 && usedAt <= model.now - graceMs);
        const [successor] = spent[choice % spent.length] ?? [];
        fc.pre(successor !== undefined);
        assert.equal(model.refresh(Number(successor) - 1), 'reuse');
        for (let gen = 1; gen <= model.row.generation; gen++) assert.equal(model.refresh(gen), 'refuse');
      }),
      { numRuns: 1000 },
    );
  });

  test('has one current generation, which only moves on, at most once in the grace', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(15_000)), { maxLength: 60 }), (shows) => {
        const model = new Model();
        let rotatedAt = 0;
        for (const [back, waitMs] of shows) {
          model.now += waitMs;
          const before = model.row.generation;
          const given = model.refresh(Math.max(1, before - back));
          if (typeof given !== 'number') return;
          assert.ok(given === before || given === before + 1);
          if (given === before) continue;
          assert.ok(model.now - rotatedAt >= graceMs);
          rotatedAt = model.now;
        }
      }),
    );
  });

  test('without a grace rotates at every use and ends the session at every replay', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(), fc.nat(5), (uses, choice, waitMs) => {
        const model = new Model(0);
        for (let use = 1; use <= uses; use++) {
          model.now += waitMs;
          assert.equal(model.refresh(use), use + 1);
        }
        assert.equal(model.refresh(1 + (choice % uses)), 'reuse');
        assert.equal(model.refresh(uses + 1), 'refuse');
      }),
    );
  });
});
