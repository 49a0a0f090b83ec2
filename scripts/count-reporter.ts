import type { TestEvent } from 'node:test/reporters';

/** A reporter that writes nothing but how many tests passed and how many did not, as JSON. */
export default async function* countReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    // One summary a file, and the last one, without a file, of the whole run.
    if (event.type !== 'test:summary' || event.data.file !== undefined) continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    yield JSON.stringify({ passed, failed: tests - passed - skipped - todo });
  }
}
