/** What texts are made of. The space is before a word: most tokenizers have it there, as a part of the word's token. */
export const WORDS: readonly string[] = `
  about above across after again all along also always among an and answer any are area army around as at away back
  base be because been before began behind below between big book both box bread bring but by call came can car case
  change child city class clear close code cold come common could country cup cut data day decide deep did different
  do does door down draw dream drive each early earth east easy eat end enough even every example face fact family
  far fast father feel field few fine fire first fish five follow food for form found four free friend from full game
  garden gave general get give glass go gold good great green ground group grow had half hand hard has have he head
  hear heart heat help her here high him his history hold home horse hot hour house how idea if in inside interest
  into is island it just keep key kind king know lake land language large last late law learn leave left less let
  letter life light like line list little live long look love low made make man many map mark may mean men might mile
  mind minute money month moon more morning most mother mountain mouth move much music must my name near need never
  new next night no north note nothing now number object of off office often old on once one only open or order other
  our out over own page paper part pass people perhaps place plan plant play point power press problem product public
  put question quick rain ran read ready real reason record red rest rich right river road rock room round rule run
  said same sand saw say school science sea season second see seem set she ship short should show side sign simple
  since sing six size sleep slow small snow so some song soon sound south space speak stand star start state stay
  step still stone stop story street strong such summer sun sure system table take talk teach tell ten test than that
  the their them then there these they thing think this those though thought three through time to today together too
  took town trade train tree true try turn two under until up us use valley very visit voice wait walk wall want war
  warm was watch water wave way we week well went were west what wheel when where which while white who whole why
  wide will wind winter wish with without wood word work world would write year yes you young your`
  .trim()
  .split(/\s+/)
  .map((word) => ` ${word}`);
