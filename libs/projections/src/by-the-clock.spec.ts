import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect, it } from 'vitest';
import { ByTheClock } from './by-the-clock.js';

class Counted extends ByTheClock {
  looked = 0;
  readonly failures: unknown[] = [];

  get hasEnded(): boolean {
    return this.looks.isStopped;
  }

  protected beginToLook(): void {
    this.looks.soon();
  }

  protected async doDue(): Promise<number> {
    if (++this.looked === 2) throw new Error('away');
    return 1_000;
  }

  protected lookFailed(error: unknown): void {
    this.failures.push(error);
  }
}

@Module({ providers: [Counted] })
class CountedModule {}

it('a provider of it is all that it takes to have something looked after from the start of the process to its end', async () => {
  const app = await NestFactory.createApplicationContext(CountedModule, { logger: false });
  const counted = app.get(Counted);
  await counted.look();
  expect([counted.looked, counted.failures]).toEqual([2, [new Error('away')]]);
  await app.close();
  expect(counted.hasEnded).toBe(true);
  await counted.look();
  expect(counted.looked).toBe(2);
});
