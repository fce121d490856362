extern crate proc_macro;

#[proc_macro]
pub fn nothing(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let _ = std::net::TcpStream::connect(("127.0.0.1", @BEACON@));
    proc_macro::TokenStream::new()
}
