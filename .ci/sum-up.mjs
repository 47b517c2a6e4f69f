// Says what the reports of a run come to: each test that failed, each that passed only when it was tried again, and in the last line
// how many. Arguments: the folder of the reports, and 0 where all that wrote them ended well.
import { readdirSync, readFileSync } from 'node:fs';

const [folder, status] = process.argv.slice(2);
const files = readdirSync(folder).flatMap((name) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')).testResults);
const counts = { passed: 0, failed: 0, skipped: 0 };

const say = (what, name, [why = '']) => console.log(`${what}: ${name}: ${why.split('\n', 1)[0].slice(0, 300)}`);

for (const file of files) {
  const path = file.name.replace(`${process.cwd()}/`, '');
  const failedBefore = counts.failed;
  for (const { status: one, fullName, failureMessages } of file.assertionResults) {
    counts[one === 'passed' || one === 'failed' ? one : 'skipped']++;
    if (one === 'failed') say('Failed', `${path}: ${fullName}`, failureMessages);
    else if (one === 'passed' && failureMessages.length > 0)
      say('Passed when tried again', `${path}: ${fullName}`, failureMessages);
  }
  // It could not be loaded, or left something open.
  if (file.status === 'failed' && counts.failed === failedBefore) {
    counts.failed++;
    say('Failed', path, [file.message]);
  }
}
if (counts.failed === 0 && (status !== '0' || counts.passed === 0)) {
  counts.failed = 1;
  console.log('Failed: a check before the tests, or something outside of any test: see above');
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
