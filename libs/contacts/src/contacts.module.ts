import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { CONTACTS_OF } from '#accounts/contacts-of';
import { IdentityModule } from '#identity/identity.module';
import { AddressBooks } from './address-books.js';
import { LookUpContactsHandler } from './commands/look-up-contacts.js';
import { PutContactsHandler } from './commands/put-contacts.js';
import { RemoveContactHandler } from './commands/remove-contact.js';
import { ShareAddressHandler } from './commands/share-address.js';
import { ContactsData } from './contacts-data.js';
import { ContactAddressesController } from './doors/contact-addresses.controller.js';
import { ContactsController } from './doors/contacts.controller.js';
import { KnownContacts } from './known-contacts.js';

/**
 * Address books. Needs EVENT_STORE, VIEWS, CLOCK, CONFIG, Outgoing, TransactionAnswers and OpenIdTokens from global modules. Global itself: access lists
 * ask CONTACTS_OF.
 */
@Global()
@Module({
  imports: [CqrsModule, IdentityModule],
  controllers: [ContactsController, ContactAddressesController],
  providers: [
    ContactsData,
    AddressBooks,
    PutContactsHandler,
    RemoveContactHandler,
    ShareAddressHandler,
    LookUpContactsHandler,
    { provide: CONTACTS_OF, useClass: KnownContacts },
  ],
  exports: [AddressBooks, CONTACTS_OF],
})
export class ContactsModule {}
