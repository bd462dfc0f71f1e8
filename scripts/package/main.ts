import { resolve } from 'node:path';
import { messageOf } from '@understudy/shared/runtime/errors';
import { Command } from 'commander';
import { print } from '../cli/output.ts';
import { makeArchive } from './archive.ts';

interface PackageOptions {
  readonly out: string;
}

const checkout = resolve(import.meta.dirname, '../../..');

await new Command('package')
  .description('makes the archive that npm install -g puts on a host')
  .option('--out <folder>', 'where to put it', checkout)
  .action(async ({ out }: PackageOptions) => {
    try {
      print(await makeArchive({ checkout, folder: out }));
    } catch (error) {
      process.stderr.write(`package: ${messageOf(error)}\n`);
      process.exitCode = 1;
    }
  })
  .parseAsync();
