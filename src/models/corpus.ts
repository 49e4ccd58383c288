import { type Random, random } from './random.ts';

const words = (text: string): string[] => text.trim().split(/\s+/);

const NOUNS = words(`
  answer apple area army article artist author baby bank base bed bird blood board boat body book bottle box boy
  branch bread bridge brother building bus business button cache camera capital captain car card case castle cat
  cell centre chair chapter child church circle city class client cloud club coast code coffee college colour
  column company computer corner country course cover cow crowd culture cup customer cycle data date day decision
  desert design detail device disk doctor document dog door dream dress driver dust ear earth east edge effect egg
  element end energy engine error evening event example eye face fact family farm father field figure file film
  finger fire fish flight floor flower food foot forest form fox friend fruit function future game garden gate
  girl glass goal gold government grass ground group guest guide hair hand harbour hat head heart heat hill history
  home horse hospital hotel hour house idea image industry interest island issue key king kitchen knife lake lamp
  language law layer leader leaf leg lesson letter level library life light limit line list machine manager map
  market master matter meal meaning member memory message metal method middle milk mind minute mirror model moment
  money month moon morning mother mountain mouth museum music name nation nature neck needle neighbour network news
  night noise north note number object ocean office oil order output owner page painting paper parent park part
  party pattern peace pencil people period person phone picture piece pilot place plan plane plant plate player
  pocket poem point police pool port power prefix president price problem process product program project prompt
  purpose quality queen question queue rain reader reason record region report request response result rice river
  road rock role room root rope rule salt sand scale school science screen sea season seat second secret sentence
  sequence series server service shape sheep ship shirt shoe shop shoulder side sign signal silver sister size
  skill skin sky sleep snow society soil soldier son song sound soup source south space speech speed spoon spring
  square stage star state station step stone storage storm story stranger stream street string student style sugar
  summer sun surface system table task teacher team temple test text theatre theory thing thread ticket time token
  tool top tower town track trade traffic train tree trip truth uncle union unit university valley value vector
  version village visitor voice volume wall war watch water wave weather week weight wheel wind window winter wire
  wish woman wood word worker world writer year`);

const VERBS = words(`
  accept add agree allow appear apply arrive ask avoid become begin believe belong borrow break bring build burn
  buy call carry catch change check choose clean climb close collect come compare complete compute connect consider
  contain continue control copy cost count create cross cry dance decide deliver depend describe destroy develop
  discover divide draw drink drive drop eat enjoy enter explain fall feed feel fight fill find finish fix fly
  follow forget gather give grow guess happen hear help hide hold hope hurry imagine improve include increase
  invent invite join jump keep kill know laugh lead learn leave lend lift listen live look lose love make mark
  measure meet mention miss mix move need notice obey offer open paint pass pay perform pick play point prefer
  prepare press prevent produce promise protect prove provide pull push reach read receive refuse remain remember
  remove repair repeat replace reply require rest restore return ride rise run save search see seem sell send
  serve share shine shout show sing sit sleep smell smile solve speak spend stand start stay steal stop store
  study suggest support suppose swim take talk taste teach tell think throw touch travel treat try turn understand
  use visit wait wake walk want warn wash wear win wonder work worry write`);

const ADJECTIVES = words(`
  able angry bad basic beautiful big bitter black blue brave bright broken brown busy careful cheap clean clear
  clever cold common complete cool correct dark dead deep different difficult dirty dry early easy empty equal
  exact false famous fast final fine first flat foreign free fresh full general gentle good great green happy hard
  heavy high honest hot huge human important kind large last late lazy left light little local long loud low lucky
  main modern narrow natural near new next nice normal old open perfect plain pleasant polite poor possible private
  proud public quick quiet rare ready real recent red regular rich right rough round sad safe same serious sharp
  short silent simple single slow small smooth soft special steady strange strong sudden sure sweet tall thick thin
  tiny tired true useful usual warm weak wet white whole wide wild wise wrong yellow young`);

const LINKS = words(`
  about above across after against along among around as at because before behind below beside between beyond but
  by during for from if in inside into near of off on or out outside over since so than that though through to
  toward under until upon when where which while with within without and although however therefore`);

const SMALL = words(`
  a an the I you he she it we they me him her us them my your his its our their this these those who what how why
  is are was were be been being has have had do does did will would can could may might must shall should not no
  yes all any both each every few more most much many other some such only very too also again always never often
  once here there now then just even still today tomorrow yesterday`);

const NAMES = words(`
  Alice Boris Clara David Elena Felix Grace Hugo Irene Jonas Karin Lucas Maria Nina Oscar Paula Ruben Sofia Thomas
  Vera Monday Tuesday Friday Sunday January April July October Africa America Asia Berlin Europe Geneva London
  Madrid Paris Tokyo English French German Spanish`);

/** Lists of common words, for other texts that are put together at random. */
export const WORDS = { nouns: NOUNS, verbs: VERBS, adjectives: ADJECTIVES, names: NAMES } as const;

const ACCENTED = words(`
  café naïve résumé façade jalapeño crème brûlée über Zürich Köln São Málaga Łódź Škoda señor garçon déjà año
  größe élève coração ångström smörgåsbord Москва привет мир спасибо Αθήνα καλημέρα 東京 日本語 你好 世界 안녕하세요 مرحبا`);

const EMOJI = words(
  '🙂 😀 😂 ❤️ 👍 👋 🎉 🚀 🔥 ✨ ✅ ⭐ 🌍 🐱 🐶 ☕ 📦 💡 → ← … — “quoted” ‘single’ € £ ° × ÷ ≤ ≥ √',
);

const FIXED = `
async function main(args) {\n  const items = [];\n  for (let i = 0; i < 10; i++) {\n    items.push(i * 2);\n  }\n
  if (items.length === 0) {\n    return null;\n  } else {\n    console.log(\`total: \${items.length}\`);\n  }\n}\n
import os\nimport sys\n\ndef count(values):\n    total = 0\n    for value in values:\n        total += value\n
    return total\n\nclass Point:\n    def __init__(self, x, y):\n        self.x = x\n        self.y = y\n
SELECT id, name FROM users WHERE age >= 18 ORDER BY name LIMIT 20;\n<div class="page"><p>text</p></div>\n
<tools>\n</tools>\n<tool_response>\n</tool_response>\n{"type": "function", "function": {"name": "get_weather",
"description": "", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}\n
{"name": "get_weather", "arguments": {"city": "Paris"}}\nsystem\nuser\nassistant\ntool\n- one\n- two\n# Title\n\n## Part\n
https://www.example.com/index.html?q=1&page=2 true false null undefined return export default string number boolean\n
I'm you're he's we've they'll she'd don't can't isn't HTTP API JSON URL GPU CPU KV id_0 max_tokens 0.95 1e-5 100%\n`;

/** The inflected and derived forms of a word that English spelling gives without exceptions worth a list. */
function forms(word: string): string[] {
  const stem = word.endsWith('e') ? word.slice(0, -1) : word;
  return [word, `${word}s`, `${stem}ed`, `${stem}ing`, `${stem}er`, `${word}ly`, `re${word}`, `un${word}`];
}

function sentence(draw: Random): string {
  const pick = (list: readonly string[]): string => list[draw.below(list.length)]!;
  const thing = (): string => `${pick(SMALL)} ${draw.below(2) ? `${pick(ADJECTIVES)} ` : ''}${pick(NOUNS)}`;
  const act = (): string => forms(pick(VERBS))[draw.below(4)]!;
  const first = draw.below(4) ? thing() : pick(NAMES);
  const start = first.charAt(0).toUpperCase() + first.slice(1);
  const end = draw.below(3)
    ? `${pick(LINKS)} ${thing()}`
    : `${pick(SMALL)}, ${pick(LINKS)} ${thing()} ${act()}`;
  return `${start} ${act()} ${thing()} ${end}${pick(['.', '.', '.', '?', '!'])} `;
}

function record(draw: Random): string {
  const pick = (list: readonly string[]): string => list[draw.below(list.length)]!;
  return `{"${pick(NOUNS)}": ${draw.below(1000)}, "${pick(NOUNS)}": "${pick(ADJECTIVES)}", "ids": [${draw.below(100)}]}\n`;
}

/**
 * The text on which the tokenizer is trained: English sentences put together at random from word lists,
 * every word and its forms at least once, code, JSON, digits, and words and signs of more than one byte.
 * About 250 KB, the same on every platform.
 */
export function corpus(): string {
  const draw = random('corpus');
  const parts: string[] = [];
  for (let i = 0; i < 2400; i++) {
    parts.push(sentence(draw));
    if (i % 8 === 7) parts.push('\n\n');
    if (i % 24 === 23) parts.push(record(draw));
    if (i % 160 === 159) parts.push(FIXED);
  }
  for (const word of [...NOUNS, ...VERBS, ...ADJECTIVES]) parts.push(' ', forms(word).join(' '));
  for (const word of [...LINKS, ...SMALL, ...NAMES]) parts.push(` ${word}`, ` ${word}`, `\n${word}`);
  for (let i = 0; i < 4; i++) parts.push('\n', ACCENTED.join(' '), ' ', EMOJI.join(' '));
  return parts.join('');
}
