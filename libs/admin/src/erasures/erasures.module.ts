import { Global, Module } from '@nestjs/common';
import { ERASED_ACCOUNTS } from '#accounts/erased-accounts';
import { Erasures } from './erasures.js';
import { ErasuresAgain } from './erasures-again.js';

/** Who was erased. Global, for accounts ask it: needs CONFIG, CLOCK and EVENT_STORE from global modules. */
@Global()
@Module({
  providers: [Erasures, ErasuresAgain, { provide: ERASED_ACCOUNTS, useExisting: ErasuresAgain }],
  exports: [Erasures, ErasuresAgain, ERASED_ACCOUNTS],
})
export class ErasuresModule {}
