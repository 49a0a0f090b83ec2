import type { Command } from 'commander';

/** In the place of Commander's own, which looks at the first word alone and passes over what it does not know. */
export function addHelp(program: Command): void {
  program
    .command('help [command...]')
    .description('Print the help of a command.')
    .action((names: string[]) => {
      let command = program;
      for (const name of names) {
        const next = command.commands.find((each) => each.name() === name);
        if (next === undefined) return program.error(`unknown command '${name}'`);
        command = next;
      }
      command.outputHelp();
    });
}
