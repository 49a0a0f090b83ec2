/** Something that runs once at a time, whoever asks for it. */
export interface InTurn {
  /** Runs it. While it runs, all who ask share the one run that follows, so that it sees what they did before. */
  run(): Promise<void>;
  /** Resolves when it neither runs nor is about to. */
  idle(): Promise<void>;
}

export function inTurn(work: () => Promise<void>): InTurn {
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  function start(): Promise<void> {
    next = undefined;
    const running = work().finally(() => {
      if (current === running) current = undefined;
    });
    current = running;
    return running;
  }

  return {
    run() {
      // Between the end of a run and the start of the one that follows it there is no current one.
      if (next !== undefined) return next;
      if (current === undefined) return start();
      next = current.then(start, start);
      return next;
    },
    async idle() {
      while (current !== undefined || next !== undefined) await (next ?? current)?.catch(() => {});
    },
  };
}
