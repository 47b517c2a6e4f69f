import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { SharedSecretRegistrationController } from './doors/shared-secret-registration.controller.js';
import { RegistrationNonces } from './shared-secret/registration-nonces.js';

/** What tools of operators call. Needs CONFIG and CLOCK from global modules, and the command handlers of accounts. */
@Module({
  imports: [CqrsModule],
  controllers: [SharedSecretRegistrationController],
  providers: [RegistrationNonces],
})
export class AdminModule {}
