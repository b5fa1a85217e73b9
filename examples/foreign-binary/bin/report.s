        .globl _start
_start: mov     $1, %eax                # write(1, text, size)
        mov     $1, %edi
        lea     text(%rip), %rsi
        mov     $size, %edx
        syscall
        mov     $60, %eax               # exit(0)
        xor     %edi, %edi
        syscall
text:   .ascii  "42 reports written\n"
        .set    size, . - text
