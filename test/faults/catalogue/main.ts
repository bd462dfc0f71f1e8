import { fileURLToPath } from 'node:url';
import { coverageOf, describeCoverage } from './coverage.ts';
import { faults } from './names.ts';
import { notCovered } from './not-covered.ts';
import { readTitles } from './titles.ts';

// `npm run faults`: which fault is proven to be survived, by which tests. Exits with 1 when one has
// neither a test nor a reason.
const tests = fileURLToPath(new URL('../../../', import.meta.url));
const coverage = coverageOf(faults, readTitles(tests), notCovered);
process.stdout.write(describeCoverage(coverage));
process.exitCode = coverage.some(({ problem }) => problem !== null) ? 1 : 0;
