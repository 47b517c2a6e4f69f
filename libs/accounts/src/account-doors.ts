import type { Type } from '@nestjs/common';
import { ConsentController } from './doors/consent.controller.js';
import { FallbackPagesController } from './doors/fallback-pages.controller.js';
import { LimitsPageController } from './doors/limits-page.controller.js';
import { ProcessPagesController } from './doors/process-pages.controller.js';
import { OpenIdController } from './doors/openid.controller.js';
import {
  ProfileReadersController,
  ThreepidReadersController,
  UserDataReadersController,
} from './doors/readers.controller.js';
import { AccountDataController } from './doors/today/account-data.controller.js';
import { AccountController } from './doors/today/account.controller.js';
import { DevicesController } from './doors/today/devices.controller.js';
import { MailLinksController } from './doors/mail-links.controller.js';
import { FiltersController } from './doors/today/filters.controller.js';
import { LoginController } from './doors/today/login.controller.js';
import { ProfileController } from './doors/today/profile.controller.js';
import { PhoneTokenController } from './doors/today/phone-token.controller.js';
import { RequestTokenController } from './doors/today/request-token.controller.js';
import { ThreepidsController } from './doors/today/threepids.controller.js';
import { RegisterController } from './doors/today/register.controller.js';
import { ServerInfoController } from './doors/today/server-info.controller.js';
import { SessionController } from './doors/today/session.controller.js';
import { UserDataController } from './doors/user-data.controller.js';
import { LoginV1Controller } from './doors/v1/login-v1.controller.js';
import { RegisterV1Controller } from './doors/v1/register-v1.controller.js';
import { TokenRefreshV1Controller } from './doors/v1/token-refresh-v1.controller.js';

/** By what clients, and people with a browser, come to accounts. */
export const ACCOUNT_DOORS: Type[] = [
  ServerInfoController,
  LoginController,
  RegisterController,
  SessionController,
  AccountController,
  DevicesController,
  ProfileController,
  AccountDataController,
  ProfileReadersController,
  ThreepidReadersController,
  UserDataReadersController,
  UserDataController,
  FiltersController,
  ThreepidsController,
  RequestTokenController,
  PhoneTokenController,
  MailLinksController,
  ConsentController,
  FallbackPagesController,
  ProcessPagesController,
  LimitsPageController,
  OpenIdController,
  LoginV1Controller,
  RegisterV1Controller,
  TokenRefreshV1Controller,
];
