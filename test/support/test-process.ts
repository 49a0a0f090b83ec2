/** Loaded before each test file by `npm test`. */
import asyncHooks from 'node:async_hooks';
import { after } from 'node:test';

/**
 * To tell which test an error came from that nobody caught, `node:test` follows every promise of the process, which takes a
 * sixth of the processor's time. Without it such an error still fails its file; `node --test FILE`, which does not load
 * this, names the test. `node:test` is the first to ask for a hook.
 */
const { createHook } = asyncHooks;
asyncHooks.createHook = () => {
  asyncHooks.createHook = createHook;
  return createHook({});
};

/** A file whose tests are over and which does not end, as something was left open, would hold up the run for ever. */
const lingerMs = 60_000;
after(() => {
  setTimeout(() => {
    console.error(`The tests are over, but not the process: ${process.getActiveResourcesInfo().join(', ')}`);
    process.exit(1);
  }, lingerMs).unref();
});
