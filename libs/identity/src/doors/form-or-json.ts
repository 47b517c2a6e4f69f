import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { checkDto, readJsonBody } from '#http/json-body';
import type { JsonObject } from '#kernel/json';

const FORM = /^application\/x-(?:www-form|form-www)-urlencoded\b/i;
/** What is a number where it is JSON. */
const NUMBERS: ReadonlySet<string> = new Set(['send_attempt']);

/** The body of a request as `JsonBody` has it, also where it is a form: identity service API, "Establishing associations". */
export const FormOrJson = createParamDecorator((dto: new () => object, context: ExecutionContext): object => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { body, headers } = request;
  const isForm = FORM.test(headers['content-type'] ?? '') && Buffer.isBuffer(body);
  return checkDto(dto, isForm ? readForm(body.toString()) : readJsonBody(request));
});

function readForm(text: string): JsonObject {
  const entries = [...new URLSearchParams(text)];
  return Object.fromEntries(entries.map(([key, value]) => [key, NUMBERS.has(key) ? Number(value) : value]));
}
