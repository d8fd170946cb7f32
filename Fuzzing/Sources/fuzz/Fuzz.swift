import Glibc

// libFuzzer brings the program's `main`; it calls these two. `scripts/fuzz` runs it.

/// Reads `FUZZ_TARGET`: which parser is fuzzed.
@_cdecl("LLVMFuzzerInitialize")
func initialize(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
) -> CInt {
    guard let name = getenv("FUZZ_TARGET"), let target = Target(rawValue: String(cString: name)) else {
        print("FUZZ_TARGET must be one of: \(Target.allCases.map(\.rawValue).joined(separator: ", "))")
        exit(EX_USAGE)
    }
    Target.chosen = target
    return 0
}

/// One input.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    Target.chosen.read(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}
