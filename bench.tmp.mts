import fsp from 'node:fs/promises'; import path from 'node:path';
import { createDriver } from './src/storage/factory.ts'; import { storageStack } from './src/storage/stack.ts'; import { systemClock } from './src/shared/clock.ts';
const root='/tmp/benchst'; await fsp.rm(root,{recursive:true,force:true}); await fsp.mkdir(root+'/plain',{recursive:true});
const N=256, P=1572864, never=new AbortController().signal, CON=8, fp='ab'.repeat(32);
const ms=60000;
const raw=createDriver('file',{path:root+'/st',max_size:'4GB',min_free_space:0});
const d=storageStack(raw,{clock:systemClock,namespace:fp,fingerprint:fp,onRejected:(r)=>console.log('REJ',r),milliseconds:{open:ms,close:ms,has:ms,read:ms,write:ms,remove:ms,list:ms},observer:{started(){},ended(){}}});
await d.open(never);
const value=Buffer.alloc(P); for(let i=0;i<P;i+=4) value.writeUInt32LE((Math.imul(i,2654435761))>>>0,i);
const keys=Array.from({length:N},(_,i)=>('000'+i.toString(16)).slice(-4)+'k'.repeat(60)).map(k=>k.split('').reverse().join(''));
const shardKeys=keys.map((k,i)=>(i%256).toString(16).padStart(2,'0')+k);
const bufs=Array.from({length:128},()=>Buffer.alloc(P,1));
async function pool(n:number,f:(i:number)=>Promise<void>){let i=0;await Promise.all(Array.from({length:CON},async()=>{while(i<n)await f(i++)}));}
const file=(i:number)=>path.join(root,'plain',shardKeys[i]!+'.bin');
async function plainWrite(){await pool(N,async i=>{const h=await fsp.open(file(i),'w');await h.write(value);await h.close();});}
async function plainRead(){await pool(N,async i=>{const h=await fsp.open(file(i),'r');await h.read(bufs[i%128]!,0,P,0);await h.close();});}
async function rawWrite(){for(let b=0;b<N;b+=128){const r=await raw.write(shardKeys.slice(b,b+128).map(key=>({key:fp+'/'+key,parts:[head,value]})),never);if(r.some(x=>x.status!=='stored'))throw new Error(JSON.stringify(r.find(x=>x.status!=='stored')));}}
const head=Buffer.alloc(256);
async function plainRename(){await pool(N,async i=>{const f=path.join(root,'plain',shardKeys[i]!.slice(0,2),shardKeys[i]!+'.tmp');const h=await fsp.open(f,'wx').catch(async()=>{await fsp.mkdir(path.dirname(f),{recursive:true});return fsp.open(f,'wx')});await h.writev([head,value]);await h.close();await fsp.rename(f,f.replace('.tmp','.page'))});}
async function clear(){await d.remove(shardKeys.slice(0,128),never); await d.remove(shardKeys.slice(128),never);}
async function stWrite(){for(let b=0;b<N;b+=128){const r=await d.write(shardKeys.slice(b,b+128).map(key=>({key,parts:[value]})),never);if(r.some(x=>x.status!=='stored'))throw new Error(JSON.stringify(r.find(x=>x.status!=='stored')));}}
async function stRead(drv=d,pre=''){for(let b=0;b<N;b+=128){const r=await drv.read(shardKeys.slice(b,b+128).map((key,i)=>({key:pre+key,into:pre?[Buffer.alloc(256),bufs[i]!]:[bufs[i]!]})),never);if(r.some(x=>x.status!=='hit'))throw new Error(JSON.stringify(r.find(x=>x.status!=='hit')));}}
const gb=(t:number)=>(N*P/t/1e6).toFixed(2);
async function time(f:()=>Promise<void>){const t=performance.now();await f();return performance.now()-t;}
const med=(a:number[])=>a.sort((x,y)=>x-y)[a.length>>1]!;
const W:{p:number[],s:number[]}={p:[],s:[]},R:{p:number[],s:number[],f:number[]}={p:[],s:[],f:[]};
const X:number[]=[],Y:number[]=[];
await stWrite();
import {execSync} from 'node:child_process';
for(let r=0;r<9;r++){
  await fsp.rm(root+'/plain',{recursive:true,force:true}); await fsp.mkdir(root+'/plain');
  for(let i=0;i<256;i++) await fsp.mkdir(root+'/plain/'+i.toString(16).padStart(2,'0'));
  execSync('sync'); W.p.push(await time(plainWrite)); await pool(N,i=>fsp.unlink(file(i)));
  await clear(); execSync('sync'); W.s.push(await time(stWrite));
  await clear(); execSync('sync'); X.push(await time(rawWrite)); await clear();
  execSync('sync'); Y.push(await time(plainRename)); 
}
await plainWrite();
await clear(); await stWrite();
console.log('raw file write',gb(med(X)),'plain with temp+rename',gb(med(Y)));
for(let r=0;r<15;r++){ R.p.push(await time(plainRead)); R.s.push(await time(stRead)); R.f.push(await time(()=>stRead(raw,fp+'/'))); }
console.log('write plain',gb(med(W.p)),'stack',gb(med(W.s)),'GB/s', (med(W.p)/med(W.s)*100).toFixed(0)+'%');
console.log('read plain',gb(med(R.p)),'stack',gb(med(R.s)),'file only',gb(med(R.f)),'GB/s',(med(R.p)/med(R.s)*100).toFixed(0)+'%');
await d.close(); await fsp.rm(root,{recursive:true});
