/**
 * Preloaded into a process (`--import`), sets its wall clock wrong: by as many milliseconds as the file FAULT_CLOCK holds,
 * and says so in FAULT_CLOCK.set. What measures spans of time, `performance.now()` and timers, goes on, as it does when
 * the clock of a machine is set.
 */
import { openSync, readSync, writeSync } from 'node:fs';

// Open from the beginning: there may be no descriptors left later.
const file = openSync(process.env.FAULT_CLOCK ?? '', 'r');
const answer = openSync(`${process.env.FAULT_CLOCK}.set`, 'w');
const text = Buffer.alloc(20);
const RealDate = Date;
let offsetMs = 0;
setInterval(() => {
  const wanted = Number(text.toString('utf8', 0, readSync(file, text, 0, text.length, 0)));
  if (wanted === offsetMs) return;
  offsetMs = wanted;
  writeSync(answer, String(offsetMs).padEnd(text.length), 0);
}, 20).unref();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [RealDate.now() + offsetMs] : args, newTarget),
  get: (target, name) =>
    name === 'now' ? () => RealDate.now() + offsetMs : Reflect.get(target, name, target),
});
