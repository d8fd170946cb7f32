import Foundation
import Identity

@main
enum Main {
    static func main() async {
        // A closed pipe is an error of one write, never the end of the process.
        signal(SIGPIPE, SIG_IGN)
        CryptographyLibrary.prepare()
        await RootCommand.runOrExit()
    }
}
