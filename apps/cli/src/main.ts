import 'reflect-metadata';
import { CommandFactory } from 'nest-commander';
import { CliModule } from './cli.module.js';
import { exitCodeOfUsage } from './commands/annals-command.js';

await CommandFactory.run(CliModule, {
  // Nest speaks of bugs only.
  logger: ['error', 'fatal'],
  errorHandler: (error) => process.exit(exitCodeOfUsage(error as { exitCode?: unknown })),
  serviceErrorHandler: (error) => {
    throw error;
  },
});
