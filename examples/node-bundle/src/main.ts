import ms from "ms";
import { seconds } from "./time";

for (const words of ["2 minutes", "1 hour", "3 days"]) {
  console.log(`${words}: ${seconds(ms(words))} seconds`);
}
