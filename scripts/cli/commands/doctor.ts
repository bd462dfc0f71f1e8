import { exitCodes } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import type { Finding } from '../../doctor/finding.ts';
import { sourcesFor } from '../context.ts';
import { print, printJson } from '../output.ts';

/** `doctor`: whether this host has what it needs. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check what this host needs to do its part; exit 0: no problem, else 1')
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const { examine } = await import('../../doctor/doctor.ts');
      const findings = await examine(sourcesFor(command));
      const count = (level: Finding['level']) =>
        findings.filter((finding) => finding.level === level).length;
      const [problems, warnings] = [count('problem'), count('warning')];
      process.exitCode = problems > 0 ? exitCodes.failed : exitCodes.ok;
      if (options.json) return printJson({ problems, warnings, findings });
      for (const finding of findings) print(lineOf(finding));
      print(`\n${problems} problems, ${warnings} warnings`);
    });
}

function lineOf({ level, check, text, advice }: Finding): string {
  const line = `${level.padEnd('problem'.length)}  ${check}: ${text}`;
  return advice === null ? line : `${line}\n         -> ${advice}`;
}
