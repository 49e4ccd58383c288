import { describe, expect, it } from 'vitest';
import { redactConfig, scrub, secretsOf } from '../../src/shared/secrets.ts';

const HIDDEN: [name: string, config: string, shown: string][] = [
  ['a password', '{"password":"hunter2"}', '{"password":"***"}'],
  [
    'names in any case and spelling',
    '{"apiKey":"hunter2","DB_PASSWD":"hunter2"}',
    '{"apiKey":"***","DB_PASSWD":"***"}',
  ],
  ['a key for TLS', '{"tls_key":"hunter2","pwd":"hunter2"}', '{"tls_key":"***","pwd":"***"}'],
  ['a number', '{"token":123456}', '{"token":"***"}'],
  ['what is nested', '{"a":{"b":[{"secret":"hunter2"}]}}', '{"a":{"b":[{"secret":"***"}]}}'],
  [
    'all that is below a secret name',
    '{"auth":{"user":"hunter2","more":["hunter2"]}}',
    '{"auth":{"user":"***","more":["***"]}}',
  ],
  ['an array of secrets', '{"tokens":["hunter2","x"]}', '{"tokens":["***","***"]}'],
  ['a header', '{"headers":{"Authorization":"Bearer hunter2"}}', '{"headers":{"Authorization":"***"}}'],
  ['the password of a URL', '{"url":"redis://me:hunter2@host:1/0"}', '{"url":"redis://me:***@host:1/0"}'],
  ['a password without a user', '{"url":"redis://:hunter2@host"}', '{"url":"redis://:***@host"}'],
  ['odd characters in a password', '{"url":"redis://me:h/u@n,ter2@host"}', '{"url":"redis://me:***@host"}'],
  ['every URL of a text', '{"urls":"a://b:hunter2@c,d://e:hunter2@f"}', '{"urls":"a://b:***@c,d://e:***@f"}'],
  [
    'a parameter of a URL',
    '{"url":"https://h/x?a=1&X-Signature=hunter2&b=2"}',
    '{"url":"https://h/x?a=1&X-Signature=***&b=2"}',
  ],
  ['a connection string', '{"connection_string":"AccountKey=hunter2"}', '{"connection_string":"***"}'],
  ['a key that is there twice', '{"password":"hunter2","password":null}', '{"password":null}'],
  ['a nested key that is there twice', '{"a":{"u":"a://b:hunter2@c","u":"d"}}', '{"a":{"u":"d"}}'],
  ['what is no JSON', 'password=hunter2', '***'],
];

describe('a configuration is shown', () => {
  it.each(HIDDEN)('without %s', (_, config, shown) => {
    expect(redactConfig(config)).toBe(shown);
    expect(shown).not.toContain('hunter2');
  });

  it.each([
    ' { "b" : 1e3,\t"a":"\\u0041", "path":"/x"}\n',
    '{"password":{"env":"NAME"},"tokens":[{"env":"NAME"}]}',
    '{"url":"redis://host:6379/0","user":"me","path":"/a:b@c"}',
    '{"hicache_storage_pass_prefix_keys":true,"prefetch_timeout_per_ki_token":0.25}',
    '{"a":"\\":","a\\"b":{}}',
    '{}',
  ])('as it was sent where there is no secret in it: %j', (config) => {
    expect(redactConfig(config)).toBe(config);
  });
});

describe('a message', () => {
  it('has no secret of the configuration in it, in any form', () => {
    const config = {
      url: 'redis://me:p%40ss%20word@host',
      nested: [{ secret: 'say "hi"' }],
      token: 'abc/def',
      auth: { anything: 'deeper' },
    };
    const secrets = secretsOf(config);
    const message = `p%40ss%20word p@ss word say "hi" ${JSON.stringify('say "hi"')} abc%2Fdef abc/def deeper`;
    expect(scrub(message, secrets)).toBe('*** *** *** "***" *** *** ***');
  });

  it('shows no end of a secret that begins with another one', () => {
    expect(scrub('hunter2hunter3', ['hunter2', 'hunter2hunter3'])).toBe('***');
  });

  it('keeps its words where a secret is too short to be told from them', () => {
    expect(scrub('a cat sat', ['a', 'cat'])).toBe('a cat sat');
  });
});
