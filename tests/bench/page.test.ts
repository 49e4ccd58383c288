import { expect, it } from 'vitest';
import { withSection } from '../../bench/support/page.ts';

const PAGE = '# All\n\n## One\n\n<!-- written by npm run one -->\n\n## Two\n\nText.\n';
const TEXT = '| a |\n| - |\n| 1 |\n\n```sh\n# a comment in a block\nls\n```';

it('a section is written again in the place of what was there, with comments in its commands', () => {
  const once = withSection(PAGE, 'one', TEXT);
  expect(once).toBe(`# All\n\n## One\n\n<!-- written by npm run one -->\n\n${TEXT}\n\n## Two\n\nText.\n`);
  expect(withSection(once, 'one', TEXT)).toBe(once);
});

it('the last section ends with the page', () => {
  const page = '## One\n\n<!-- written by npm run one -->\n';
  expect(withSection(withSection(page, 'one', 'old'), 'one', TEXT)).toBe(`${page}\n${TEXT}\n`);
});

it('a page without the mark is refused', () => {
  expect(() => withSection(PAGE, 'two', TEXT)).toThrow('no <!-- written by npm run two -->');
});
